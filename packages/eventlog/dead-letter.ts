/**
 * What a consumer could not apply, kept with its coordinates and reason; later records of its key wait behind it.
 *
 * Rows are written in the checkpoint's own transaction. Only deterministic failures come here: a database or network
 * that is away is retried, never dead-lettered.
 */
import { type DeadLetterReplay, enterBatch, holdConsumer, replayDeadLetters } from "./dead-letter-replay.ts";
import type { Queryable, Transaction } from "./dependencies.ts";
import type { StoredRecord } from "./event-log.ts";
import type { CheckpointKey } from "./checkpoint.ts";
import { deadLetterPageMax } from "./limits.ts";

/** Thrown by a consumer for a record that will fail again every time: it does not decode, or breaks a rule. */
export class PoisonRecord extends Error {
  override readonly name = "PoisonRecord";
  constructor(
    readonly offset: number,
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(`Cannot apply the record at offset ${offset}: ${reason}`, options);
  }
}

export type DeadLetter = CheckpointKey & {
  /** `waiting` records are sound, but come after a poisoned one of their key. */
  readonly kind: "poison" | "waiting";
  readonly reason: string;
  readonly attempts: number;
  readonly record: StoredRecord;
};

export type DeadLetterSummary = CheckpointKey & {
  /** UUIDv7: the order of ids is the order of time. */
  readonly id: string;
  readonly kind: "poison" | "waiting";
  readonly offset: number;
  readonly key: string;
  readonly reason: string;
  readonly attempts: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly createdAtMs: number;
};

/** One consumer's letters of one home region, or of all; from after an id on. */
type DeadLetterPage = { readonly consumer: string; readonly homeRegion?: string; readonly after: string | null; readonly limit: number };

export interface DeadLetterStore {
  put(tx: Queryable, letters: readonly DeadLetter[]): Promise<void>;
  /** Those of the keys that have an unresolved dead letter; no replay changes that until the transaction ends. */
  parkedKeys(tx: Queryable, scope: CheckpointKey, keys: readonly string[]): Promise<ReadonlySet<string>>;
  /** Unresolved ones, oldest first, at most 500. */
  list(sql: Queryable): Promise<readonly DeadLetterSummary[]>;
  /** Unresolved ones in order of id. */
  page(sql: Queryable, page: DeadLetterPage): Promise<readonly DeadLetterSummary[]>;
  /** Answers how many of the named are applied now, by this replay or before. */
  replay(tx: Transaction, replay: DeadLetterReplay): Promise<number>;
  /** Waits until no batch of the consumer is in flight on the partition, and lets none in until the transaction ends. */
  holdConsumer(tx: Queryable, scope: CheckpointKey): Promise<void>;
}

export function createDeadLetterStore(): DeadLetterStore {
  return { put, parkedKeys, list, page, replay: replayDeadLetters, holdConsumer };
}

async function put(tx: Queryable, letters: readonly DeadLetter[]): Promise<void> {
  if (letters.length === 0) return;
  const rows = JSON.stringify(letters.map(encodeLetter));
  await tx`
    INSERT INTO dead_letter (home_region, consumer, topic, partition, record_offset, key, kind, reason, attempts, payload, headers)
    SELECT home_region, consumer, topic, partition, record_offset, key, kind, reason, attempts, decode(payload, 'base64'), headers
    FROM jsonb_to_recordset(${rows}::text::jsonb) AS row(home_region text, consumer text, topic text, partition integer, record_offset bigint,
      key text, kind text, reason text, attempts integer, payload text, headers jsonb)
    ON CONFLICT DO NOTHING`;
}

async function parkedKeys(tx: Queryable, scope: CheckpointKey, keys: readonly string[]): Promise<ReadonlySet<string>> {
  // One round trip, one after the other: what is read is as of after the lock.
  const [, rows] = await Promise.all([
    enterBatch(tx, scope),
    tx<{ key: string }[]>`
      SELECT DISTINCT key FROM dead_letter
      WHERE home_region = ${scope.homeRegion} AND consumer = ${scope.consumer} AND topic = ${scope.topic} AND partition = ${scope.partition}
        AND resolve_time IS NULL AND key IN (SELECT jsonb_array_elements_text(${JSON.stringify(keys.map(storableText))}::text::jsonb))`,
  ]);
  return new Set(rows.map((row) => row.key));
}

async function list(sql: Queryable): Promise<readonly DeadLetterSummary[]> {
  const rows = await sql<DeadLetterSummary[]>`
    SELECT ${sql.unsafe(summaryColumns)}
    FROM dead_letter WHERE resolve_time IS NULL ORDER BY create_time, record_offset LIMIT ${deadLetterPageMax}`;
  return [...rows];
}

async function page(sql: Queryable, { consumer, homeRegion, after, limit }: DeadLetterPage): Promise<readonly DeadLetterSummary[]> {
  const region = homeRegion ?? null;
  const rows = await sql<DeadLetterSummary[]>`
    SELECT ${sql.unsafe(summaryColumns)} FROM dead_letter
    WHERE resolve_time IS NULL AND consumer = ${consumer} AND (${region}::text IS NULL OR home_region = ${region})
      AND (${after}::uuid IS NULL OR dead_letter_id > ${after}::uuid)
    ORDER BY dead_letter_id LIMIT ${Math.min(limit, deadLetterPageMax)}`;
  return [...rows];
}

const summaryColumns = `dead_letter_id AS id, home_region AS "homeRegion", consumer, topic, partition, kind, record_offset::float8 AS "offset", key, reason,
  attempts, headers, floor(extract(epoch FROM create_time) * 1000)::float8 AS "createdAtMs"`;

/** Postgres text holds no NUL, and a poisoned key may. Parked keys are reported in this form. */
export function storableText(text: string): string {
  return text.replaceAll("\0", "\u{fffd}");
}

function encodeLetter({ record, ...letter }: DeadLetter) {
  return {
    home_region: letter.homeRegion,
    consumer: letter.consumer,
    topic: letter.topic,
    partition: letter.partition,
    record_offset: record.offset,
    key: storableText(record.key),
    kind: letter.kind,
    reason: storableText(letter.reason),
    attempts: letter.attempts,
    payload: Buffer.from(record.value.buffer, record.value.byteOffset, record.value.byteLength).toString("base64"),
    headers: Object.fromEntries(Object.entries(record.headers).map(([name, value]) => [name, storableText(value)])),
  };
}
