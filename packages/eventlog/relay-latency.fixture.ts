/**
 * Events committed at a steady rate by one process, relayed by this one, read by a third: how long each took from its
 * commit's answer. Those of the first seconds, in which the processes warm up, must come too, but are not counted.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { RelayBench } from "./relay-bench.fixture.ts";

/** Engines compile, the broker's above all: its work for a record falls by two thirds over the first hundreds of thousands. */
const warmUpSeconds = 5;

export type LatencyRun = {
  readonly perSecond: number;
  /** Those that count; before them the processes warm up. */
  readonly seconds: number;
  /** A transaction that has written stays open all the while. */
  readonly longTransaction?: boolean;
  /** Appended by the writer itself, no outbox: the log's own share. */
  readonly straightToLog?: boolean;
  /** Ends the writer and the reader, and with them the run. */
  readonly signal?: AbortSignal;
};

export type Latencies = {
  /** Milliseconds, sorted. */
  readonly all: Float64Array;
  /** The 99th percentile of each second's events, in order. */
  readonly p99OfSeconds: readonly number[];
  readonly repeated: number;
  /** Processor seconds a second, in the whole run. */
  readonly relayCores: number;
};

export async function measureLatency(bench: RelayBench, { perSecond, seconds, longTransaction, straightToLog, signal }: LatencyRun): Promise<Latencies> {
  const region = await bench.newRegion();
  const runSeconds = warmUpSeconds + seconds;
  const events = perSecond * runSeconds;
  const directory = mkdtempSync(join(tmpdir(), "ridegrid-latency-"));
  const [writtenFile, seenFile] = [join(directory, "written"), join(directory, "seen")];
  const relay = straightToLog ? undefined : await bench.startRelay(region);
  const open = longTransaction ? await openWriting(bench, region) : undefined;
  const watcher = run("watch-events.ts", [bench.place, region, String(events), seenFile]);
  const reading = watcher.stdout.getReader();
  await reading.read();
  reading.releaseLock();
  const writer = run("write-events.ts", [
    bench.database.url,
    region,
    String(perSecond),
    String(runSeconds),
    writtenFile,
    ...(straightToLog ? [bench.place] : []),
  ]);
  const end = (): void => [writer, watcher].forEach((child) => child.kill("SIGKILL"));
  signal?.addEventListener("abort", end, { once: true });
  try {
    const before = process.cpuUsage();
    await finished("The writer", writer);
    const said = await finished("The reader", watcher);
    const { user, system } = process.cpuUsage(before);
    const [written, seen] = [timesIn(writtenFile), timesIn(seenFile)];
    const took = seen.map((at, index) => at - (written[index] ?? Number.NaN)).slice(perSecond * warmUpSeconds);
    const p99OfSeconds = Array.from({ length: seconds }, (_, second) => percentile(took.slice(second * perSecond, (second + 1) * perSecond).toSorted(), 0.99));
    return { all: took.toSorted(), p99OfSeconds, repeated: Number(/seen, (\d+) repeated/.exec(said)?.[1]), relayCores: (user + system) / 1e6 / runSeconds };
  } finally {
    signal?.removeEventListener("abort", end);
    end();
    await open?.end();
    await relay?.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

export function percentile(sorted: Float64Array, part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

async function openWriting({ database }: RelayBench, region: string): Promise<{ end(): Promise<void> }> {
  const connection = await database.sql({ max: 1, idleInTransactionTimeoutMs: 0 }).reserve();
  await connection`BEGIN`;
  await connection`
    INSERT INTO outbox (home_region, topic, partition, key, event_id, payload) VALUES (${region}, 'never-committed', 0, 'open', gen_random_uuid(), '')`;
  return {
    async end() {
      await connection`ROLLBACK`;
      connection.release();
    },
  };
}

function run(program: string, parameters: readonly string[]) {
  const path = fileURLToPath(new URL(`./test-programs/${program}`, import.meta.url));
  return Bun.spawn([process.execPath, path, ...parameters], { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
}

async function finished(who: string, child: ReturnType<typeof run>): Promise<string> {
  let said = "";
  for await (const chunk of child.stdout) said += new TextDecoder().decode(chunk);
  if ((await child.exited) !== 0) throw new Error(`${who} of the measurement ended with ${child.exitCode ?? child.signalCode}`);
  return said;
}

function timesIn(file: string): Float64Array {
  const bytes = readFileSync(file);
  return new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}
