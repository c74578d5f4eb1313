/**
 * The data folder of an embedded Postgres: where it really lies, how it is made, and what its lock file says.
 *
 * A folder is made aside and renamed, so that a half-made one is never taken for a database.
 */
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { isReachable, type ServerUser } from "./embedded-postgres-binaries.ts";
import { commandOf } from "./process-command.ts";

/** As root in a closed folder (mode 0700 somewhere above), the data lies here and `dataDir` is a link to it. */
const relocatedRoot = "/var/lib/ridegrid";

/** The folder to hand to Postgres; nothing is made yet but the folders above it. */
export function locateDataDir(dataDir: string, user: ServerUser): string {
  const wanted = resolve(dataDir);
  const kind = lstatSync(wanted, { throwIfNoEntry: false });
  if (kind?.isSymbolicLink() === true) return resolve(dirname(wanted), readlinkSync(wanted));
  mkdirSync(dirname(wanted), { recursive: true });
  if (kind !== undefined || isReachable(dirname(wanted), user)) return join(realpathSync(dirname(wanted)), wanted.slice(dirname(wanted).length + 1));
  mkdirSync(relocatedRoot, { recursive: true, mode: 0o755 });
  const prefix = `${new Bun.CryptoHasher("sha256").update(wanted).digest("hex").slice(0, 16)}-`;
  removeOrphans(prefix);
  // Never the same name twice: whoever deleted the link with its project must not get the old data back.
  const real = join(relocatedRoot, `${prefix}${randomUUID().slice(0, 8)}`);
  symlinkSync(real, wanted);
  return real;
}

/** Data of the same place whose link is gone and whose server does not run. */
function removeOrphans(prefix: string): void {
  for (const name of readdirSync(relocatedRoot).filter((entry) => entry.startsWith(prefix))) {
    const lock = readServerLock(join(relocatedRoot, name));
    if (lock === undefined || !isPostgres(lock.pid)) rmSync(join(relocatedRoot, name), { recursive: true, force: true });
  }
}

/** Deletes the database, wherever it lies. The server must have stopped. */
export function removeEmbeddedPostgresData(dataDir: string): void {
  const wanted = resolve(dataDir);
  const kind = lstatSync(wanted, { throwIfNoEntry: false });
  if (kind?.isSymbolicLink() === true) rmSync(resolve(dirname(wanted), readlinkSync(wanted)), { recursive: true, force: true });
  rmSync(wanted, { recursive: true, force: true });
}

export type InitOptions = { readonly binaries: string; readonly dataDir: string; readonly user: ServerUser };

/** Makes the cluster if it is not there. Trusts every local connection: it listens on loopback only, for development. */
export function ensureCluster({ binaries, dataDir, user }: InitOptions): void {
  if (existsSync(join(dataDir, "PG_VERSION"))) return;
  if (existsSync(dataDir)) throw new Error(`Cannot make a database in "${dataDir}": the folder exists and holds no database`);
  const aside = `${dataDir}.new-${randomUUID()}`;
  mkdirSync(aside, { recursive: true, mode: 0o700 });
  if (user.uid !== undefined && user.gid !== undefined) chownSync(aside, user.uid, user.gid);
  // An empty cluster that a power cut within its first half minute spoils is made again; waiting for the disk is not worth it.
  const flags = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-instructions", "--no-sync"];
  const result = spawnSync(join(binaries, "bin/initdb"), ["-D", aside, ...flags], {
    ...user,
    cwd: "/",
    env: serverEnvironment(),
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (result.status !== 0) {
    rmSync(aside, { recursive: true, force: true });
    throw new Error(`Cannot make a database in "${dataDir}": initdb ended with ${result.status ?? result.signal}: ${String(result.stderr).trim()}`, {
      cause: result.error,
    });
  }
  renameSync(aside, dataDir);
}

/** Nothing of the caller's PG* variables may reach the server. */
export function serverEnvironment(): Record<string, string> {
  return { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" };
}

export type ServerLock = { readonly pid: number; readonly port: number; readonly status: string };

/** What `postmaster.pid` says; undefined when there is none or it is still being written. */
export function readServerLock(dataDir: string): ServerLock | undefined {
  let lines: readonly string[];
  try {
    lines = readFileSync(join(dataDir, "postmaster.pid"), "utf8").split("\n");
  } catch {
    return undefined;
  }
  const pid = Number(lines[0]);
  return Number.isInteger(pid) && pid > 0 ? { pid, port: Number(lines[3] ?? 0), status: (lines[7] ?? "").trim() } : undefined;
}

/**
 * Removes a lock whose process is gone or is no Postgres. Postgres itself refuses to start when the number has gone
 * to another process of the same user, which after a reboot or in a container is common.
 */
export function removeStaleLock(dataDir: string, lock: ServerLock): void {
  if (!isPostgres(lock.pid)) rmSync(join(dataDir, "postmaster.pid"), { force: true });
}

/** As we start it: that a command line has the word somewhere, as a test's or a client's may, says nothing. */
export function isPostgres(pid: number): boolean {
  return isAlive(pid) && /\/postgres[\0 ]-D[\0 ]/.test(commandOf(pid));
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
  return !isZombie(pid);
}

/** A server that was started by a process now gone may stay unreaped for a while; it serves nobody. */
function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).startsWith("Z");
  } catch {
    return false;
  }
}

/** The end of the server's own log, for a message that says why it did not start. */
export function logTail(dataDir: string): string {
  const path = join(dataDir, "server.log");
  if (!existsSync(path)) return "it wrote no log";
  const text = readFileSync(path, "utf8");
  return text.slice(-800).trim() || `its log is empty (${statSync(path).size} bytes)`;
}
