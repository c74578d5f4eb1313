/** What the relay sends: a backlog after the log was away, beside a cursor by id and beside the log's own pace; and how soon an event is read. */
import type { Figure, FigureOptions, Measurement } from "@ridegrid/testing";
import type { LogRecord } from "./event-log.ts";
import { splitToAppends } from "./record-codec.ts";
import type { Relay } from "./relay.ts";
import { addRideEvents, brokerName, type CpuSeconds, type RelayBench, startRelayBench } from "./relay-bench.fixture.ts";
import { type Latencies, measureLatency } from "./relay-latency.fixture.ts";
import { benchPartitions, benchTopic } from "./test-programs/bench-log.ts";

const backlog = { rows: 300_000, rounds: 2 };
const quickBacklog = { rows: 40_000, rounds: 1 };
/** The broker's engine compiles meanwhile: its work for a row falls by two thirds. */
const warmUpRows = { full: 300_000, quick: 60_000 };
const naiveRowsMax = 30_000;
const naivePage = 1_000;
const perSecond = 5_000;
const latencySeconds = { full: 20, quick: 4 };
/** Of sorted latencies one in ten is kept: the same percentiles, a tenth of the numbers. */
const keptLatency = 10;

export const figures: readonly Figure[] = [
  {
    name: "relay",
    doc: `${backlog.rows.toLocaleString("en-US")} ride events committed while nobody relayed, to 8 partitions; Postgres (fsync off), the broker and the relay on this machine's cores`,
    run: measureBacklog,
  },
  {
    name: "relay-latency",
    doc: `${perSecond.toLocaleString("en-US")} events/s, ten a transaction, from the commit's answer to read from the topic; writer, relay and reader in a process each, nobody pokes the relay`,
    run: measureLatencies,
  },
];

type Run = { readonly rows: number; readonly seconds: number; readonly cpu: CpuSeconds };

async function measureBacklog({ quick, signal }: FigureOptions): Promise<readonly Measurement[]> {
  const { rows, rounds } = quick ? quickBacklog : backlog;
  const bench = await startRelayBench();
  const [relayed, naive, direct]: [Run[], Run[], Run[]] = [[], [], []];
  try {
    await drain(bench, warmUpRows[quick ? "quick" : "full"], signal);
    for (let round = 0; round < rounds; round++) {
      relayed.push(await drain(bench, rows, signal));
      naive.push(await followById(bench, Math.min(rows, naiveRowsMax), signal));
      direct.push(await appendFromMemory(bench, rows, signal));
    }
  } finally {
    await bench.close();
  }
  const rates = { unit: "rows per second", samples: relayed.map(rowsPerSecond) };
  const byId = "pages of id > last, one append after the other";
  const fromMemory = "the same records appended from memory, no relay";
  const cost = (part: keyof CpuSeconds, what: string, peer: { readonly what: string; readonly runs: readonly Run[] }): Measurement => {
    const of = (runs: readonly Run[]): readonly number[] => runs.map((run) => (run.cpu[part] / run.rows) * 1e6);
    return { what, unit: "CPU µs a row", samples: of(relayed), peer: { what: peer.what, samples: of(peer.runs) } };
  };
  return [
    { what: `${rows.toLocaleString("en-US")} rows to ${bench.logName}`, unit: "seconds", samples: relayed.map((run) => run.seconds), goal: { atMost: 15 } },
    { what: "the same", ...rates, goal: { atLeast: 50_000 } },
    { what: "the same", ...rates, peer: { what: byId, samples: naive.map(rowsPerSecond) } },
    { what: "the same", ...rates, peer: { what: fromMemory, samples: direct.map(rowsPerSecond) } },
    cost("relay", "relay process", { what: fromMemory, runs: direct }),
    cost("postgres", "its Postgres sessions", { what: byId, runs: naive }),
    ...(bench.logName === brokerName ? [cost("broker", "broker", { what: fromMemory, runs: direct })] : []),
  ];
}

function rowsPerSecond({ rows, seconds }: Run): number {
  return rows / seconds;
}

/** What `work` on so many rows took, the parts apart. */
async function timed(bench: RelayBench, rows: number, work: () => Promise<void>): Promise<Run> {
  const before = await bench.cpuSeconds();
  const startedAt = performance.now();
  await work();
  const seconds = (performance.now() - startedAt) / 1_000;
  const after = await bench.cpuSeconds();
  return { rows, seconds, cpu: { relay: after.relay - before.relay, postgres: after.postgres - before.postgres, broker: after.broker - before.broker } };
}

/** From the relay's start to the last row acknowledged; every row is then counted in the log. */
async function drain(bench: RelayBench, rows: number, signal: AbortSignal): Promise<Run> {
  const region = await bench.newRegion();
  await addRideEvents(bench.sql, region, rows);
  let relay: Relay | undefined;
  const run = await timed(bench, rows, async () => {
    relay = await bench.startRelay(region);
    while ((relay.states()[0]?.rowsSent ?? 0) < rows && !signal.aborted) await Bun.sleep(5);
  });
  await relay?.stop();
  signal.throwIfAborted();
  await assertStored(bench, region, rows);
  return run;
}

async function assertStored({ log }: RelayBench, region: string, rows: number): Promise<void> {
  const ends = await Promise.all(partitions().map(async (partition) => (await log.bounds(`${region}.${benchTopic}`, partition)).end));
  const stored = ends.reduce((sum, end) => sum + end, 0);
  if (stored !== rows) throw new Error(`The topic of region "${region}" holds ${stored} records, ${rows} rows were committed`);
}

type NaiveRow = {
  readonly id: number;
  readonly partition: number;
  readonly key: string;
  readonly payload: Uint8Array;
  readonly headers: Record<string, string>;
};

/** What one writes first, and loses late commits: a page by id, its partitions one after the other. */
async function followById(bench: RelayBench, rows: number, signal: AbortSignal): Promise<Run> {
  const region = await bench.newRegion();
  await addRideEvents(bench.sql, region, rows);
  const sql = bench.relayPool();
  return await timed(bench, rows, async () => {
    for (let last = 0, sent = 0; sent < rows;) {
      signal.throwIfAborted();
      const page = await sql<NaiveRow[]>`
        SELECT id::float8 AS id, partition, key, payload, headers FROM outbox
        WHERE home_region = ${region} AND id > ${last}::bigint ORDER BY id LIMIT ${naivePage}`;
      for (const [partition, records] of Map.groupBy(page, (row) => row.partition)) {
        await bench.log.append(
          `${region}.${benchTopic}`,
          partition,
          records.map(({ key, payload, headers }) => ({ key, value: payload, headers })),
        );
      }
      last = page.at(-1)?.id ?? last;
      sent += page.length;
    }
  });
}

/** The ceiling: records that need no reading, the partitions side by side as the relay sends them. */
async function appendFromMemory(bench: RelayBench, rows: number, signal: AbortSignal): Promise<Run> {
  const region = await bench.newRegion();
  const records: readonly LogRecord[] = Array.from({ length: 4_000 }, (_, index) => ({
    key: Bun.randomUUIDv7(),
    value: new TextEncoder().encode(
      `${Bun.randomUUIDv7()}${Bun.randomUUIDv7()}${Bun.randomUUIDv7()}`.padEnd(244 + ((index * 37) % 90), "nyc ewr US Dollar 12.34"),
    ),
    headers: {
      "event-id": Bun.randomUUIDv7(),
      type: "RideRequested",
      traceparent: `00-${Bun.randomUUIDv7().replaceAll("-", "")}-b7ad6b7169203331-01`,
      "outbox-id": "1",
    },
  }));
  const perPartition = records.length / benchPartitions;
  return await timed(bench, rows, async () => {
    for (let sent = 0; sent < rows; sent += records.length) {
      signal.throwIfAborted();
      const sends = partitions().map(async (partition) => {
        for (const append of splitToAppends(records.slice(partition * perPartition, (partition + 1) * perPartition)))
          await bench.log.append(`${region}.${benchTopic}`, partition, append);
      });
      await Promise.all(sends);
    }
  });
}

async function measureLatencies({ quick, signal }: FigureOptions): Promise<readonly Measurement[]> {
  const run = { perSecond, seconds: quick ? latencySeconds.quick : latencySeconds.full, signal };
  const bench = await startRelayBench();
  try {
    await drain(bench, warmUpRows[quick ? "quick" : "full"], signal);
    const straight = await measureLatency(bench, { ...run, straightToLog: true });
    const relayed = await measureLatency(bench, run);
    const underLong = await measureLatency(bench, { ...run, longTransaction: true });
    return [
      ...latencyRows("relayed", relayed, straight),
      ...latencyRows("relayed, a writing transaction open throughout", underLong, straight),
      { what: "relay process", unit: "CPU seconds a second", samples: [relayed, underLong].map(({ relayCores }) => relayCores) },
    ];
  } finally {
    await bench.close();
  }
}

function latencyRows(what: string, { all, p99OfSeconds }: Latencies, straight: Latencies): readonly Measurement[] {
  const samples = kept(all);
  // Of the peer no median: a reader may have an event before its append is answered.
  const peer = { what: "appended by the writer itself", samples: kept(straight.all) };
  return [
    { what: `${what}, p50`, unit: "ms", samples },
    { what: `${what}, p99`, unit: "ms", samples, statistic: "p99", goal: { atMost: 100 } },
    { what: `${what}, p99`, unit: "ms", samples, statistic: "p99", peer },
    { what: `${what}, p99 of each second`, unit: "ms", samples: p99OfSeconds },
  ];
}

function kept(sorted: Float64Array): readonly number[] {
  return Array.from(sorted)
    .filter((_, index) => index % keptLatency === keptLatency - 1)
    .map((ms) => Math.round(ms * 100) / 100);
}

function partitions(): readonly number[] {
  return Array.from({ length: benchPartitions }, (_, partition) => partition);
}
