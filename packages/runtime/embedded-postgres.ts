/**
 * Runs a real Postgres server on loopback from the npm package's binaries, as root or as an ordinary user.
 *
 * A data folder whose server already runs is adopted, not started twice. The server lives in a session of its own, so
 * that a Ctrl-C reaches its owner, who stops it last. For development and tests: it trusts every local connection.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { preparePostgresBinaries, type ServerUser, serverUser } from "./embedded-postgres-binaries.ts";
import { ensureCluster, isAlive, isPostgres, locateDataDir, logTail, readServerLock, removeStaleLock, serverEnvironment } from "./embedded-postgres-data.ts";
import {
  embeddedPostgresAnswerTimeoutMs,
  embeddedPostgresPollMs,
  embeddedPostgresRetryMs,
  embeddedPostgresStartTimeoutMs,
  embeddedPostgresStopTimeoutMs,
} from "./limits.ts";

export type EmbeddedPostgresOptions = {
  /** Kept between starts. */
  readonly dataDir: string;
  /** A free one when left out. */
  readonly port?: number;
  /** A folder with `bin/postgres` and `bin/initdb` to run instead of the npm package's, such as Debian's. */
  readonly binaries?: string;
  /** Loses data in a power cut; for tests only. */
  readonly fast?: boolean;
  /** Server settings that win over the defaults. */
  readonly settings?: Readonly<Record<string, string>>;
};

export interface EmbeddedPostgres {
  /** Of the `postgres` database, as the superuser. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Where the data really lies. */
  readonly dataDir: string;
  /** True when a running server was found and taken over. */
  readonly adopted: boolean;
  /** The url of another database of this server. */
  databaseUrl(name: string): string;
  alive(): boolean;
  /** Ends its connections and stops it cleanly. Safe to call twice. */
  stop(): Promise<void>;
}

export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const user = serverUser();
  const dataDir = locateDataDir(options.dataDir, user);
  const running = await adoptRunning(dataDir);
  if (running !== undefined) return running;
  const binaries = options.binaries ?? preparePostgresBinaries(user);
  ensureCluster({ binaries, dataDir, user });
  const port = options.port ?? (await freePortOfLoopback());
  const deadline = performance.now() + embeddedPostgresStartTimeoutMs;
  for (;;) {
    const outcome = await untilReady(launch({ binaries, dataDir, port, user, flags: settingFlags(options) }), dataDir, deadline);
    if (typeof outcome !== "string") return outcome;
    // The workers of a killed server outlive it for a moment, hold its memory, and write into the same log.
    if (!/pre-existing shared memory block|unexpected postmaster exit/.test(outcome) || performance.now() > deadline) throw new Error(outcome);
    await sleep(embeddedPostgresRetryMs);
  }
}

type Launch = { readonly binaries: string; readonly dataDir: string; readonly port: number; readonly user: ServerUser; readonly flags: readonly string[] };

function launch({ binaries, dataDir, port, user, flags }: Launch): ChildProcess {
  const log = openSync(join(dataDir, "server.log"), "w");
  const child = spawn(join(binaries, "bin/postgres"), ["-D", dataDir, "-p", String(port), ...flags], {
    ...user,
    cwd: "/",
    detached: true,
    stdio: ["ignore", log, log],
    env: serverEnvironment(),
  });
  closeSync(log);
  child.unref();
  return child;
}

/** A server that is starting is waited for, one that is stopping is waited out, a lock left by a crash is removed. */
async function adoptRunning(dataDir: string): Promise<EmbeddedPostgres | undefined> {
  const deadline = performance.now() + embeddedPostgresStartTimeoutMs;
  for (;;) {
    const lock = readServerLock(dataDir);
    if (lock === undefined) return undefined;
    if (!isPostgres(lock.pid)) {
      removeStaleLock(dataDir, lock);
      return undefined;
    }
    if (lock.status === "ready" && (await answers(lock.port))) return handle({ dataDir, pid: lock.pid, port: lock.port, adopted: true });
    if (performance.now() > deadline) {
      throw new Error(
        `Cannot adopt the Postgres of "${dataDir}" (pid ${lock.pid}): it has been "${lock.status}" for ${embeddedPostgresStartTimeoutMs / 1000} s`,
      );
    }
    await sleep(embeddedPostgresPollMs);
  }
}

/** The running server, or why there is none. */
async function untilReady(child: ChildProcess, dataDir: string, deadline: number): Promise<EmbeddedPostgres | string> {
  let ended: string | undefined;
  child.once("error", (error) => (ended = String(error)));
  child.once("exit", (code, signal) => (ended = `it ended with ${code ?? signal}`));
  for (;;) {
    const lock = readServerLock(dataDir);
    if (lock !== undefined && lock.pid === child.pid && lock.status === "ready") return handle({ dataDir, pid: lock.pid, port: lock.port, adopted: false });
    if (ended !== undefined) {
      // Two processes may have started it at once; the loser takes the winner's.
      const winner = await adoptRunning(dataDir);
      return winner ?? `Cannot start Postgres in "${dataDir}": ${ended}: ${logTail(dataDir)}`;
    }
    if (performance.now() > deadline) {
      child.kill("SIGQUIT");
      return `Cannot start Postgres in "${dataDir}": not ready after ${embeddedPostgresStartTimeoutMs / 1000} s: ${logTail(dataDir)}`;
    }
    await sleep(embeddedPostgresPollMs);
  }
}

type Running = { readonly dataDir: string; readonly pid: number; readonly port: number; readonly adopted: boolean };

function handle({ dataDir, pid, port, adopted }: Running): EmbeddedPostgres {
  const databaseUrl = (name: string): string => `postgres://postgres@127.0.0.1:${port}/${name}`;
  return { url: databaseUrl("postgres"), port, pid, dataDir, adopted, databaseUrl, alive: () => isAlive(pid), stop: () => stopServer(pid) };
}

/** SIGINT is Postgres' fast stop: connections are ended, what is committed is flushed. */
async function stopServer(pid: number): Promise<void> {
  for (const signal of ["SIGINT", "SIGQUIT", "SIGKILL"] as const) {
    if (!isAlive(pid)) return;
    process.kill(pid, signal);
    const deadline = performance.now() + embeddedPostgresStopTimeoutMs;
    while (isAlive(pid) && performance.now() < deadline) await sleep(embeddedPostgresPollMs);
  }
}

/** Small enough for a laptop, quiet when idle, roomy enough for every app's pool. */
const defaultSettings: Readonly<Record<string, string>> = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: "150",
  shared_buffers: "64MB",
  jit: "off",
  wal_level: "minimal",
  max_wal_senders: "0",
  max_wal_size: "512MB",
  max_parallel_workers_per_gather: "0",
  max_worker_processes: "2",
  max_logical_replication_workers: "0",
  autovacuum_max_workers: "2",
  autovacuum_naptime: "60s",
  bgwriter_delay: "1s",
  log_checkpoints: "off",
  log_timezone: "UTC",
};

const fastSettings: Readonly<Record<string, string>> = { fsync: "off", synchronous_commit: "off", full_page_writes: "off" };

function settingFlags({ fast, settings }: EmbeddedPostgresOptions): readonly string[] {
  const all = { ...defaultSettings, ...(fast === true ? fastSettings : {}), ...settings };
  return Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

/** Asks whether it speaks TLS: only a living server forks a backend that answers (`N`: no). */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    const settle = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(embeddedPostgresAnswerTimeoutMs, () => settle(false));
    socket.once("connect", () => socket.write(sslRequest));
    socket.once("data", () => settle(true));
    socket.once("error", () => settle(false)).once("close", () => settle(false));
  });
}

/** Length 8, code 80877103. */
const sslRequest = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

function freePortOfLoopback(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => (address !== null && typeof address === "object" ? resolve(address.port) : reject(new Error("Cannot find a free port"))));
    });
  });
}
