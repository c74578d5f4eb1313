/**
 * What every `EventLog` must do: each adapter's test calls this, and passing it is what "adapter" means.
 *
 * The factory's hooks reach what the port cannot; a hook that an adapter lacks is named with its reason, and the cases
 * that need it are skipped, the reason in their names. Contiguous offsets are not asked for: they are the embedded log's own.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type EventLog, type LogRecord, OffsetAboveEnd, OffsetBelowStart, PartitionCountMismatch, RecordTooLarge, type StoredRecord } from "./event-log.ts";
import { appendLimits } from "./limits.ts";

export interface LogUnderTest {
  readonly log: EventLog;
  /** Another client of the same log, as another process or a restarted one has. */
  open(): Promise<EventLog>;
  /** Deletes what is below `offset`. */
  readonly trim?: (topic: string, partition: number, offset: number) => Promise<void>;
  /** Makes the next append of `log` reject although its records were stored. */
  readonly loseNextAnswer?: () => void;
  close(): Promise<void>;
}

/** Why an adapter cannot do something, by hook. */
export type Incapable = { readonly trim?: string; readonly loseNextAnswer?: string };

/** Every case has a topic of its own. */
type Case = { readonly under: LogUnderTest; readonly log: EventLog; readonly topic: string };

export function eventLogConformance(name: string, create: () => Promise<LogUnderTest>, incapable: Incapable = {}): void {
  describe(`${name} keeps the log's promises`, () => {
    let under: LogUnderTest;
    beforeAll(async () => {
      under = await create();
    }, 60_000);
    afterAll(() => under.close());

    const check = (what: string, body: (given: Case) => Promise<void>, lacking?: string): void => {
      // `bun run test` lists what was skipped by its name.
      test.skipIf(lacking !== undefined)(lacking === undefined ? what : `${what} (skipped: ${lacking})`, async () => {
        const topic = `conformance.${Bun.randomUUIDv7()}`;
        await under.log.ensureTopics([{ topic, partitions, retentionMs: 3_600_000 }]);
        await body({ under, log: under.log, topic });
      });
    };

    checkAppendAndRead(check);
    checkManyAppenders(check, incapable);
    checkOffsets(check, incapable);
    checkRefusals(check);
    checkWaiting(check);
  });
}

type Check = (what: string, body: (given: Case) => Promise<void>, lacking?: string) => void;

const partitions = 4;

function checkAppendAndRead(check: Check): void {
  check("read() returns what append() stored, unchanged and in order", async ({ log, topic }) => {
    const records: LogRecord[] = [
      { key: "ride-1", value: new Uint8Array([0, 1, 255]), headers: { "event-id": "e-1", traceparent: "00-ü" } },
      { key: "ключ", value: new Uint8Array(0), headers: {} },
      record("ride-3"),
    ];
    await log.append(topic, 2, records);
    const stored = await readAll(log, topic, 2);
    expect(stored.map(({ key, value, headers }) => ({ key, value: [...value], headers }))).toEqual(records.map((one) => ({ ...one, value: [...one.value] })));
    expect(increases(stored.map(({ offset }) => offset))).toBe(true);
    for (const { appendedAtMs } of stored) expect(Math.abs(appendedAtMs - Date.now())).toBeLessThan(60_000);
  });

  check("awaited appends keep their order, and read() resumes at any offset", async ({ log, topic }) => {
    for (let batch = 0; batch < 20; batch++) await log.append(topic, 0, [record(`${batch}-a`), record(`${batch}-b`), record(`${batch}-c`)]);
    const stored = await readAll(log, topic, 0);
    expect(stored.map(({ key }) => key)).toEqual(Array.from({ length: 60 }, (_, index) => `${Math.floor(index / 3)}-${"abc"[index % 3]}`));
    for (const [index, { offset }] of stored.entries()) {
      const [first] = await log.read(topic, 0, offset, { ...limits, maxRecords: 1 }, never);
      expect(first?.key).toBe(stored[index]?.key ?? "none");
    }
  });

  check("read() honours its limits but always returns one record", async ({ log, topic }) => {
    await log.append(
      topic,
      0,
      Array.from({ length: 10 }, (_, index) => record(`r-${index}`, 1_000)),
    );
    expect(await log.read(topic, 0, 0, { ...limits, maxRecords: 3 }, never)).toHaveLength(3);
    expect(await log.read(topic, 0, 0, { ...limits, maxBytes: 1 }, never)).toHaveLength(1);
    expect((await log.read(topic, 0, 0, { ...limits, maxBytes: 3_500 }, never)).length).toBeWithin(1, 5);
  });

  check("two regions in one log do not mix", async ({ log, topic }) => {
    const [ewr, lhr] = [`ewr.${topic}`, `lhr.${topic}`];
    await log.ensureTopics([ewr, lhr].map((one) => ({ topic: one, partitions, retentionMs: 3_600_000 })));
    await log.append(ewr, 1, [record("new-york"), record("newark")]);
    await log.append(lhr, 1, [record("london")]);
    expect((await readAll(log, ewr, 1)).map(({ key }) => key)).toEqual(["new-york", "newark"]);
    expect((await readAll(log, lhr, 1)).map(({ key }) => key)).toEqual(["london"]);
    expect(await readAll(log, ewr, 0)).toEqual([]);
  });

  check("records and offsets outlive the client", async ({ under, log, topic }) => {
    await log.append(topic, 0, [record("before")]);
    const reopened = await under.open();
    await reopened.append(topic, 0, [record("after")]);
    await reopened.close();
    const stored = await readAll(log, topic, 0);
    expect(stored.map(({ key }) => key)).toEqual(["before", "after"]);
    const again = await under.open();
    expect((await readAll(again, topic, 0)).map(({ offset }) => offset)).toEqual(stored.map(({ offset }) => offset));
    await again.close();
  });
}

function checkManyAppenders(check: Check, incapable: Incapable): void {
  check("concurrent appenders lose nothing and each keeps its own order", async ({ under, log, topic }) => {
    const other = await under.open();
    const appenders = Array.from({ length: 12 }, (_, appender) => appendSequence(appender % 2 === 0 ? log : other, topic, appender));
    const tail = followUntil(other, topic, 12 * 25 * 2);
    await Promise.all(appenders);
    const seen = (await tail).map(({ key }) => key);
    await other.close();
    expect(new Set(seen).size).toBe(600);
    expect(seen).toEqual((await readAll(log, topic, 3)).map(({ key }) => key));
    for (let appender = 0; appender < 12; appender++) {
      const mine = seen.filter((key) => key.startsWith(`${appender}:`)).map((key) => Number(key.split(":")[1]));
      expect(mine).toEqual(Array.from({ length: 50 }, (_, index) => index));
    }
  });

  check("many readers of one client, of one partition and of several, all read everything", async ({ log, topic }) => {
    const keysOf = (partition: number): readonly string[] => Array.from({ length: 60 }, (_, index) => `${partition}/${index}`);
    const readers = [0, 0, 0, 1, 1, 2, 3].map(async (partition) => {
      const seen: string[] = [];
      for (let offset = 0; seen.length < 60;) {
        const records = await log.read(topic, partition, offset, { ...limits, maxRecords: 7, maxWaitMs: 1_000 }, AbortSignal.timeout(20_000));
        seen.push(...records.map(({ key }) => key));
        offset = (records.at(-1)?.offset ?? offset - 1) + 1;
      }
      return { partition, seen };
    });
    for (let index = 0; index < 60; index += 20)
      await Promise.all(
        [0, 1, 2, 3].map((partition) =>
          log.append(
            topic,
            partition,
            keysOf(partition)
              .slice(index, index + 20)
              .map((key) => record(key)),
          ),
        ),
      );
    for (const { partition, seen } of await Promise.all(readers)) expect(seen).toEqual([...keysOf(partition)]);
  });

  check(
    "an append whose answer was lost is repeated: read() shows it twice, and first occurrences in order",
    async ({ under, log, topic }) => {
      if (!under.loseNextAnswer) throw new Error("the factory neither has loseNextAnswer nor says why not");
      await log.append(topic, 0, [record("1")]);
      under.loseNextAnswer();
      await expect(log.append(topic, 0, [record("2"), record("3")])).rejects.toThrow();
      await log.append(topic, 0, [record("2"), record("3")]);
      await log.append(topic, 0, [record("4")]);
      const keys = (await readAll(log, topic, 0)).map(({ key }) => key);
      expect([...new Set(keys)]).toEqual(["1", "2", "3", "4"]);
      expect(keys).toHaveLength(6);
    },
    incapable.loseNextAnswer,
  );
}

function checkOffsets(check: Check, incapable: Incapable): void {
  check("bounds() of an empty partition are equal; its end moves with appends", async ({ log, topic }) => {
    const empty = await log.bounds(topic, 1);
    expect(empty.start).toBe(empty.end);
    await log.append(topic, 1, [record("a"), record("b")]);
    const filled = await log.bounds(topic, 1);
    const last = (await readAll(log, topic, 1)).at(-1);
    expect(filled.start).toBe(empty.start);
    expect(filled.end).toBeGreaterThan(last?.offset ?? Number.POSITIVE_INFINITY);
  });

  check(
    "reading below the start is OffsetBelowStart; the start itself reads on",
    async ({ under, log, topic }) => {
      if (!under.trim) throw new Error("the factory neither has trim nor says why not");
      for (let index = 0; index < 10; index++) await log.append(topic, 0, [record(`r-${index}`)]);
      const cut = (await readAll(log, topic, 0))[6]?.offset ?? -1;
      await under.trim(topic, 0, cut);
      const failure = await log.read(topic, 0, cut - 1, limits, never).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(OffsetBelowStart);
      expect(failure instanceof OffsetBelowStart ? failure.start : undefined).toBe(cut);
      expect((await log.bounds(topic, 0)).start).toBe(cut);
      expect((await log.read(topic, 0, cut, limits, never)).map(({ key }) => key)).toEqual(["r-6", "r-7", "r-8", "r-9"]);
    },
    incapable.trim,
  );

  check(
    "a partition trimmed to its end is empty, and goes on from there",
    async ({ under, log, topic }) => {
      if (!under.trim) throw new Error("the factory neither has trim nor says why not");
      await log.append(topic, 0, [record("a"), record("b")]);
      const { end } = await log.bounds(topic, 0);
      await under.trim(topic, 0, end);
      expect(await log.bounds(topic, 0)).toEqual({ start: end, end });
      expect(await log.offsetAt(topic, 0, 0)).toBe(end);
      await log.append(topic, 0, [record("c")]);
      expect((await log.read(topic, 0, end, limits, never)).map(({ key }) => key)).toEqual(["c"]);
    },
    incapable.trim,
  );

  check("reading above the end is OffsetAboveEnd: the offset is of another log", async ({ log, topic }) => {
    await log.append(topic, 0, [record("a")]);
    const { end } = await log.bounds(topic, 0);
    await expect(log.read(topic, 0, end + 5, limits, never)).rejects.toBeInstanceOf(OffsetAboveEnd);
  });

  check("offsetAt() finds the first record appended at or after a time", async ({ log, topic }) => {
    await log.append(topic, 0, [record("early")]);
    const [early] = await readAll(log, topic, 0);
    if (!early) throw new Error("the appended record is missing");
    await until(() => Date.now() > early.appendedAtMs + 20);
    await log.append(topic, 0, [record("late"), record("later")]);
    const late = (await readAll(log, topic, 0))[1];
    if (!late) throw new Error("the second append is missing");
    expect(late.appendedAtMs).toBeGreaterThan(early.appendedAtMs);
    expect(await log.offsetAt(topic, 0, 0)).toBe(early.offset);
    expect(await log.offsetAt(topic, 0, early.appendedAtMs)).toBe(early.offset);
    expect(await log.offsetAt(topic, 0, early.appendedAtMs + 1)).toBe(late.offset);
    expect(await log.offsetAt(topic, 0, late.appendedAtMs + 600_000)).toBe((await log.bounds(topic, 0)).end);
  });
}

function checkRefusals(check: Check): void {
  check("an oversized record or append is RecordTooLarge and stores nothing", async ({ log, topic }) => {
    await expect(log.append(topic, 0, [record("small"), record("big", appendLimits.recordBytesMax + 1)])).rejects.toBeInstanceOf(RecordTooLarge);
    const half = Math.floor(appendLimits.batchBytesMax / 3);
    await expect(log.append(topic, 0, [record("a", half), record("b", half), record("c", half), record("d", half)])).rejects.toBeInstanceOf(RecordTooLarge);
    const many = Array.from({ length: appendLimits.batchRecordsMax + 1 }, () => record("x", 1));
    await expect(log.append(topic, 0, many)).rejects.toBeInstanceOf(RecordTooLarge);
    expect(await readAll(log, topic, 0)).toEqual([]);
    await log.append(topic, 0, [record("largest", appendLimits.recordBytesMax - 1_000)]);
    expect((await readAll(log, topic, 0)).map(({ key }) => key)).toEqual(["largest"]);
  });

  check("ensureTopics() is safe to repeat and refuses another partition count", async ({ log, topic }) => {
    await log.append(topic, 0, [record("kept")]);
    await log.ensureTopics([{ topic, partitions, retentionMs: 3_600_000 }]);
    await expect(log.ensureTopics([{ topic, partitions: partitions + 1, retentionMs: 3_600_000 }])).rejects.toBeInstanceOf(PartitionCountMismatch);
    expect(await readAll(log, topic, 0)).toHaveLength(1);
  });

  check("a topic that was never made can be neither written nor read", async ({ log, topic }) => {
    await expect(log.append(`${topic}.unknown`, 0, [record("a")])).rejects.toThrow();
    await expect(log.read(`${topic}.unknown`, 0, 0, limits, never)).rejects.toThrow();
  });
}

function checkWaiting(check: Check): void {
  check("a read at the end waits and answers empty after maxWaitMs", async ({ log, topic }) => {
    const began = performance.now();
    expect(await log.read(topic, 0, 0, { ...limits, maxWaitMs: 150 }, never)).toEqual([]);
    expect(performance.now() - began).toBeWithin(140, 2_000);
  });

  check("a waiting read wakes soon after an append, of its own client and of another", async ({ under, log, topic }) => {
    const other = await under.open();
    for (const [index, appender] of [log, other].entries()) {
      const waiting = log.read(topic, 0, (await log.bounds(topic, 0)).end, { ...limits, maxWaitMs: 20_000 }, never);
      await new Promise((resolve) => setTimeout(resolve, 250));
      const began = performance.now();
      await appender.append(topic, 0, [record(`wake-${index}`)]);
      expect((await waiting).map(({ key }) => key)).toEqual([`wake-${index}`]);
      expect(performance.now() - began).toBeLessThan(3_000);
    }
    await other.close();
  });

  check("a waiting read rejects at once with the reason of its signal", async ({ log, topic }) => {
    const control = new AbortController();
    const waiting = log.read(topic, 0, 0, { ...limits, maxWaitMs: 20_000 }, control.signal);
    const began = performance.now();
    setTimeout(() => control.abort(new Error("the consumer stops")), 50);
    await expect(waiting).rejects.toThrow("the consumer stops");
    expect(performance.now() - began).toBeLessThan(3_000);
    await expect(log.read(topic, 0, 0, limits, control.signal)).rejects.toThrow("the consumer stops");
  });
}

const never = new AbortController().signal;
const limits = { maxRecords: 1_000, maxBytes: 4_000_000, maxWaitMs: 0 };

function record(key: string, bytes = 40): LogRecord {
  return { key, value: new Uint8Array(bytes).fill(7), headers: { "event-id": `id-${key}` } };
}

async function readAll(log: EventLog, topic: string, partition: number): Promise<readonly StoredRecord[]> {
  const { start, end } = await log.bounds(topic, partition);
  const all: StoredRecord[] = [];
  for (let offset = start; offset < end;) {
    const records = await log.read(topic, partition, offset, { ...limits, maxWaitMs: 5_000 }, never);
    if (records.length === 0) throw new Error(`Cannot read ${topic}/${partition} to its end ${end}: nothing after ${offset}`);
    all.push(...records);
    offset = (records.at(-1)?.offset ?? end) + 1;
  }
  return all;
}

/** Twenty-five awaited appends of two records, keyed `<appender>:<number>`, to partition 3. */
async function appendSequence(log: EventLog, topic: string, appender: number): Promise<void> {
  for (let index = 0; index < 50; index += 2) await log.append(topic, 3, [record(`${appender}:${index}`), record(`${appender}:${index + 1}`)]);
}

/** Reads partition 3 while it grows. */
async function followUntil(log: EventLog, topic: string, count: number): Promise<readonly StoredRecord[]> {
  const seen: StoredRecord[] = [];
  let offset = (await log.bounds(topic, 3)).start;
  const deadline = AbortSignal.timeout(20_000);
  while (seen.length < count) {
    const records = await log.read(topic, 3, offset, { ...limits, maxRecords: 17, maxWaitMs: 1_000 }, deadline);
    seen.push(...records);
    offset = (records.at(-1)?.offset ?? offset - 1) + 1;
  }
  return seen;
}

function increases(values: readonly number[]): boolean {
  return values.every((value, index) => index === 0 || value > (values[index - 1] ?? value));
}

async function until(check: () => boolean): Promise<void> {
  while (!check()) await new Promise((resolve) => setTimeout(resolve, 5));
}
