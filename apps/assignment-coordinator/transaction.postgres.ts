/**
 * Runs a transaction until it commits, is refused, or has lost too many races.
 *
 * Serialization failures, deadlocks and lost races for a unique key are tried again: the next try sees what won, and
 * says so in the domain's words. Event ids are taken from a tape, so that every try uses the same ones.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { IdSource } from "@ridegrid/domain";
import type { Sql } from "@ridegrid/runtime";
import { transactionRetryDelayMs, transactionTriesMax } from "./limits.ts";
import type { Tx } from "./tx.ts";

type IdTape = { readonly next: () => string; readonly rewind: () => void };

/** Thrown inside a transaction that read something which has moved meanwhile. */
export class LostRace extends Error {
  override readonly name = "LostRace";
}

export async function runTransaction<T>(sql: Sql, ids: IdSource, work: (tx: Tx, nextId: () => string) => Promise<T>): Promise<T> {
  const tape = createIdTape(ids);
  for (let attempt = 1; ; attempt++) {
    try {
      tape.rewind();
      // postgres.js types the result of an array of promises; ours is never one.
      return (await sql.begin((tx) => work(tx, tape.next))) as T;
    } catch (error) {
      if (attempt >= transactionTriesMax || !isLostRace(error)) throw error;
      await sleep(transactionRetryDelayMs * attempt);
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
