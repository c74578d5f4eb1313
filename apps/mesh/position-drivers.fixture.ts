/** Two thousand phones in a process of their own, and the servers that they are measured against in others. */
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

const endTimeoutMs = 10_000;

export type DriversOptions = {
  readonly port: number;
  readonly contentType: "application/grpc" | "application/connect+proto";
  /** 1 as phones do; more behind a proxy that gathers them. */
  readonly driversPerConnection: number;
  /** The server sends every message back: an acknowledgement is a position then. */
  readonly echoed: boolean;
};

/** `perSecond` of all drivers together; each sends `burst` at once. */
export type Round = { readonly positions: number; readonly perSecond: number; readonly burst: number };

export type RoundOutcome = {
  readonly sent: number;
  readonly acked: number;
  readonly rejected: number;
  readonly seconds: number;
  /** From being sent to being acknowledged. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Why streams ended, which none should. */
  readonly ended: readonly string[];
  /** The last acknowledged sequence of each driver. */
  readonly lastAcked: readonly number[];
};

export interface Drivers extends AsyncDisposable {
  /** @throws when a stream ended, or not every position was acknowledged. */
  run(round: Round): Promise<RoundOutcome>;
}

/** Resolves when every stream is open and its first position is acknowledged. */
export async function startDrivers(options: DriversOptions, tokens: readonly string[]): Promise<Drivers> {
  const child = startProgram("position-drivers.ts", options);
  child.write(JSON.stringify(tokens));
  checked(JSON.parse(await child.nextLine()));
  return {
    async run(round) {
      child.write(JSON.stringify(round));
      return checked(JSON.parse(await child.nextLine()));
    },
    [Symbol.asyncDispose]: () => child.end(),
  };
}

function checked(outcome: RoundOutcome): RoundOutcome {
  const { sent, acked, rejected, ended } = outcome;
  if (acked === sent && rejected === 0 && ended.length === 0) return outcome;
  throw new Error(`Of ${sent} positions ${acked} were acknowledged and ${rejected} rejected; streams ended: ${ended.join("; ") || "none"}`);
}

export type Usage = { readonly cpuSeconds: number; readonly residentBytes: number };

export interface MeasuredServer extends AsyncDisposable {
  readonly pid: number;
  readonly ready: { readonly port: number; readonly grpcPort: number };
  usage(): Promise<Usage>;
  /** After its garbage was collected. */
  usageAtRest(): Promise<Usage>;
}

/** A program of `test-programs/` that says where it listens, and then what it uses when asked. */
export async function startServer(program: string, options: unknown): Promise<MeasuredServer> {
  const child = startProgram(program, options);
  const ready: MeasuredServer["ready"] = JSON.parse(await child.nextLine());
  const ask = async (question: "usage" | "usage at rest"): Promise<Usage> => {
    child.write(question);
    return JSON.parse(await child.nextLine());
  };
  return { pid: child.pid, ready, usage: () => ask("usage"), usageAtRest: () => ask("usage at rest"), [Symbol.asyncDispose]: () => child.end() };
}

function startProgram(program: string, options: unknown) {
  const path = join(import.meta.dir, "test-programs", program);
  const child = Bun.spawn([process.execPath, path, JSON.stringify(options)], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: Readable.fromWeb(child.stdout) })[Symbol.asyncIterator]();
  return {
    pid: child.pid,
    write(line: string): void {
      void child.stdin.write(`${line}\n`);
      void child.stdin.flush();
    },
    async nextLine(): Promise<string> {
      const next = await lines.next();
      if (next.done === true) throw new Error(`Cannot measure: ${program} ended with ${await child.exited}`);
      return next.value;
    },
    /** The end of its input is the end of it; a program that does not hear is killed. */
    async end(): Promise<void> {
      void child.stdin.end();
      await Promise.race([child.exited, sleep(endTimeoutMs)]);
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}
