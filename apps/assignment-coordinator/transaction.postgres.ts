/**
 * Runs a transaction until it commits, is refused, or has lost too many races. A command's takes two round trips: BEGIN
 * and all that it locks and reads, then all that it writes and COMMIT.
 *
 * Serialization failures, deadlocks and lost races for a unique key are tried again: the next try sees what won, and
 * says so in the domain's words. Event ids are taken from a tape, so that every try uses the same ones.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { IdSource } from "@ridegrid/domain";
import type { Queryable } from "@ridegrid/eventlog";
import type { Sql } from "@ridegrid/runtime";
import { transactionRetryDelayMs, transactionTriesMax } from "./limits.ts";
import type { Tx } from "./tx.ts";
import { type Write, writeAsOne } from "./write-together.ts";

type IdTape = { readonly next: () => string; readonly rewind: () => void };

/** Thrown inside a transaction that read something which has moved meanwhile. */
export class LostRace extends Error {
  override readonly name = "LostRace";
}

export async function runTransaction<T>(sql: Sql, ids: IdSource, work: (tx: Tx, nextId: () => string) => Promise<T>): Promise<T> {
  // postgres.js types the result of an array of promises; ours is never one.
  return await withRetries(ids, async (nextId) => (await sql.begin((tx) => work(tx, nextId))) as T);
}

export type Command<Seen, T> = {
  /** Locks and reads; sends all its statements at once. */
  readonly read: (tx: Queryable) => Promise<Seen>;
  /** Pure: what comes of it, and what is written. */
  readonly decide: (seen: Seen, nextId: () => string) => Decided<T>;
};
export type Decided<T> = { readonly result: T; readonly writes: readonly Write[] };

export async function runCommand<Seen, T>(sql: Sql, ids: IdSource, command: Command<Seen, T>): Promise<T> {
  return await withRetries(ids, (nextId) => inTwoTrips(sql, command, nextId));
}

async function inTwoTrips<Seen, T>(sql: Sql, { read, decide }: Command<Seen, T>, nextId: () => string): Promise<T> {
  const connection = await sql.reserve();
  let ending = "ROLLBACK";
  try {
    const [, seen] = await Promise.all([connection.unsafe("BEGIN").execute(), read(connection)]);
    const { result, writes } = decide(seen, nextId);
    ending = "COMMIT";
    // Behind a statement that failed, COMMIT rolls back; one statement that is not even sent leaves nothing to commit.
    await Promise.all([writeAsOne(connection, writes), connection.unsafe(ending).execute()]);
    return result;
  } catch (error) {
    // With the connection the transaction is gone, too.
    if (ending === "ROLLBACK") await connection.unsafe(ending).catch(() => undefined);
    throw error;
  } finally {
    connection.release();
  }
}

async function withRetries<T>(ids: IdSource, attempt: (nextId: () => string) => Promise<T>): Promise<T> {
  const tape = createIdTape(ids);
  for (let tries = 1; ; tries++) {
    try {
      tape.rewind();
      return await attempt(tape.next);
    } catch (error) {
      if (tries >= transactionTriesMax || !isLostRace(error)) throw error;
      await sleep(transactionRetryDelayMs * tries);
    }
  }
}

function createIdTape(ids: IdSource): IdTape {
  const made: string[] = [];
  let position = 0;
  return {
    next() {
      const id = made[position] ?? ids.uuid();
      made[position] = id;
      position += 1;
      return id;
    },
    rewind() {
      position = 0;
    },
  };
}

const retryableCodes: ReadonlySet<string> = new Set(["40001", "40P01"]);
/** Keys that two commands may race for; whoever loses reads the winner's row at the next try. */
const racedKeys: ReadonlySet<string> = new Set(["ride_quote_once", "ride_one_open_per_rider", "request_once"]);

export function isLostRace(error: unknown): boolean {
  if (error instanceof LostRace) return true;
  const code = sqlStateOf(error);
  if (code === undefined) return false;
  return retryableCodes.has(code) || (code === "23505" && racedKeys.has(constraintOf(error)));
}

export function sqlStateOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

function constraintOf(error: unknown): string {
  return error instanceof Error && "constraint_name" in error && typeof error.constraint_name === "string" ? error.constraint_name : "";
}
