/**
 * Applies dead letters again: those of one key in the order of their offsets, up to the first that fails or that nobody
 * named. What waited behind a letter that is applied is applied with it. Applied twice is applied once.
 *
 * No batch of the consumer commits meanwhile, so nothing comes to wait behind a key that has just been freed.
 */
import type { CheckpointKey } from "./checkpoint.ts";
import type { Queryable, Transaction } from "./dependencies.ts";
import type { StoredRecord } from "./event-log.ts";
import { isTransientFault } from "./fault.ts";

type ReplayedRecord = CheckpointKey & { readonly record: StoredRecord };

export type DeadLetterReplay = {
  readonly consumer: string;
  /** Only letters of this home region; of every one when left out. */
  readonly homeRegion?: string;
  /** Ids of other consumers' letters are passed over. */
  readonly ids: readonly string[];
  /** Idempotent. What it throws leaves nothing behind, and is the letter's new reason. */
  readonly apply: (tx: Transaction, record: ReplayedRecord) => Promise<void>;
};

type Letter = CheckpointKey & { readonly id: string; readonly kind: "poison" | "waiting"; readonly record: StoredRecord };
type Named = CheckpointKey & { readonly id: string; readonly key: string; readonly resolved: boolean };

/** Answers how many of the named are applied now, by this replay or before. */
export async function replayDeadLetters(tx: Transaction, replay: DeadLetterReplay): Promise<number> {
  const named = await namedLetters(tx, replay);
  const wanted = new Set(named.map(({ id }) => id));
  // Scopes in one order, so that two replays cannot wait for each other.
  for (const scope of distinctScopes(named)) {
    await holdConsumer(tx, scope);
    const keys = new Set(named.filter((one) => sameScope(one, scope)).map(({ key }) => key));
    for (const key of keys) await replayKey(tx, scope, { key, wanted, apply: replay.apply });
  }
  // Read anew: another replay may have been first.
  return (await namedLetters(tx, replay)).filter(({ resolved }) => resolved).length;
}

/** Waits until no batch of the consumer is in flight on the partition, and lets none in until the transaction ends. */
export async function holdConsumer(tx: Queryable, scope: CheckpointKey): Promise<void> {
  await tx`SELECT pg_advisory_xact_lock(hashtextextended(${lockName(scope)}, 0))`;
}

/** What a batch takes first: many at once, none beside a replay. */
export async function enterBatch(tx: Queryable, scope: CheckpointKey): Promise<void> {
  await tx`SELECT pg_advisory_xact_lock_shared(hashtextextended(${lockName(scope)}, 0))`;
}

function lockName({ homeRegion, consumer, topic, partition }: CheckpointKey): string {
  return `consumer/${homeRegion}/${consumer}/${topic}/${partition}`;
}

type KeyReplay = { readonly key: string; readonly wanted: ReadonlySet<string>; readonly apply: DeadLetterReplay["apply"] };

async function replayKey(tx: Transaction, scope: CheckpointKey, { key, wanted, apply }: KeyReplay): Promise<void> {
  for (const letter of await unresolvedOf(tx, scope, key)) {
    if (letter.kind === "poison" && !wanted.has(letter.id)) return;
    const reason = await tryApply(tx, letter, apply);
    if (reason !== null) {
      await tx`UPDATE dead_letter SET kind = 'poison', reason = ${reason.replaceAll("\0", "\u{fffd}")}, attempts = attempts + 1 WHERE dead_letter_id = ${letter.id}`;
      return;
    }
    await tx`UPDATE dead_letter SET resolve_time = clock_timestamp(), attempts = attempts + 1 WHERE dead_letter_id = ${letter.id}`;
  }
}

/** Null when it was applied, else why not. @throws a fault that passes by itself: all of it is tried again. */
async function tryApply(tx: Transaction, letter: Letter, apply: DeadLetterReplay["apply"]): Promise<string | null> {
  try {
    await tx.savepoint((inner) => apply(inner, letter));
    return null;
  } catch (error) {
    if (isTransientFault(error)) throw error;
    return error instanceof Error && "reason" in error && typeof error.reason === "string" ? error.reason : String(error);
  }
}

async function namedLetters(tx: Queryable, { consumer, homeRegion, ids }: DeadLetterReplay): Promise<readonly Named[]> {
  const region = homeRegion ?? null;
  return await tx<Named[]>`
    SELECT dead_letter_id AS id, home_region AS "homeRegion", consumer, topic, partition, key, resolve_time IS NOT NULL AS resolved
    FROM dead_letter
    WHERE dead_letter_id = ANY(${[...new Set(ids)]}::uuid[]) AND consumer = ${consumer} AND (${region}::text IS NULL OR home_region = ${region})
    ORDER BY home_region, topic, partition, key`;
}

async function unresolvedOf(tx: Queryable, scope: CheckpointKey, key: string): Promise<readonly Letter[]> {
  const rows = await tx<(Omit<Letter, "record"> & StoredRecord)[]>`
    SELECT dead_letter_id AS id, home_region AS "homeRegion", consumer, topic, partition, kind, key, payload AS value, headers,
      record_offset::float8 AS "offset", floor(extract(epoch FROM create_time) * 1000)::float8 AS "appendedAtMs"
    FROM dead_letter
    WHERE home_region = ${scope.homeRegion} AND consumer = ${scope.consumer} AND topic = ${scope.topic} AND partition = ${scope.partition}
      AND key = ${key} AND resolve_time IS NULL
    ORDER BY record_offset FOR UPDATE`;
  return rows.map(({ key: recordKey, value, headers, offset, appendedAtMs, ...letter }) => ({
    ...letter,
    record: { key: recordKey, value, headers, offset, appendedAtMs },
  }));
}

function distinctScopes(named: readonly Named[]): readonly CheckpointKey[] {
  const scopes = new Map(
    named.map(({ homeRegion, consumer, topic, partition }) => [`${homeRegion}/${topic}/${partition}`, { homeRegion, consumer, topic, partition }]),
  );
  return [...scopes].toSorted(([left], [right]) => (left < right ? -1 : 1)).map(([, scope]) => scope);
}

function sameScope(left: CheckpointKey, right: CheckpointKey): boolean {
  return left.homeRegion === right.homeRegion && left.topic === right.topic && left.partition === right.partition;
}
