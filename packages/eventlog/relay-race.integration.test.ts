/**
 * The relay's race: 24 writers on hot keys with slow commits and aborts, three relay processes that are killed and
 * stopped in mid-page. Nothing is lost and no order breaks; the naive cursor, on the same writers, must fail at it.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createSeededRandom, createTestDatabase, eventually, type TestDatabase } from "@ridegrid/testing";
import type { Pool } from "./dependencies.ts";
import { createEmbeddedEventLog } from "./event-log.embedded.ts";
import type { EventLog } from "./event-log.ts";
import { appendOutbox } from "./outbox.ts";
import { applyEventLogMigrations } from "./test-programs/apply-migrations.ts";

const keys = 20;
const partitions = 8;
const commitsWanted = 5_000;
const upheavalsWanted = 20;
const topic = "ewr.ride-events.v1";

type Sighting = { readonly key: string; readonly version: number };
type Verdict = { readonly delivered: number; readonly lost: number; readonly orderBreaks: number; readonly duplicates: number };

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
}, 30_000);
afterAll(() => database.drop());

test("three relays that crash and pause deliver every commit in order, where a cursor by id does not", async () => {
  const seed = Number(process.env["TEST_SEED"] ?? "7");
  const sql = database.sql({ max: 4 });
  await applyEventLogMigrations(sql);
  await sql`CREATE TABLE ride (key integer PRIMARY KEY, version integer NOT NULL DEFAULT 0)`;
  await sql`INSERT INTO ride (key) SELECT generate_series(0, ${keys - 1}::integer)`;
  const log = createEmbeddedEventLog({ sql, clock: { nowMs: () => Date.now() } });
  await log.ensureTopics([{ topic, partitions, retentionMs: 3_600_000 }]);

  const race = startRace(sql, seed);
  try {
    const enough = async (): Promise<boolean> => (await race.committed()) >= commitsWanted && (await race.upheavals()) >= upheavalsWanted;
    await eventually(enough, { timeoutMs: 120_000, pollMs: 250, what: `${commitsWanted} commits and ${upheavalsWanted} takeovers (seed ${seed})` });
    await race.writers.stop();
    const total = await race.committed();
    const delivered = await eventually(
      async () => {
        const seen = await readLog(log);
        return judge(seen, total).lost === 0 ? seen : undefined;
      },
      { timeoutMs: 60_000, pollMs: 500, what: `all of ${total} commits in the log (seed ${seed})` },
    );
    const naively = judge(await race.naive.stop(), total);
    const chaos = await race.counts();
    const relayed = judge(delivered, total);
    console.log(`relay race: ${total} commits, ${race.writers.aborted()} aborts, seed ${seed}`, { relayed, ...chaos, naively });
    expect(relayed).toMatchObject({ lost: 0, orderBreaks: 0 });
    expect(chaos.takeovers + chaos.fenced).toBeGreaterThanOrEqual(upheavalsWanted);
    expect(chaos.crashes).toBeGreaterThan(0);
    expect(chaos.pauses).toBeGreaterThan(0);
    expect(naively.lost + naively.orderBreaks).toBeGreaterThan(0);
  } finally {
    await race.stop();
    await log.close();
  }
}, 240_000);

/** Writers, the three relays and the naive follower, all at once. */
function startRace(sql: Pool, seed: number) {
  const relays = [0, 1, 2].map((index) => superviseRelay(database.url, index, seed));
  const naive = followById(sql);
  const writers = startWriters(database.sql({ max: 24 }), seed);
  const sum = (pick: (counts: RelayCounts) => number): number => relays.reduce((all, relay) => all + pick(relay.counts), 0);
  const one = async (query: Promise<readonly { readonly n: number }[]>): Promise<number> => (await query)[0]?.n ?? 0;
  const takeovers = (): Promise<number> => one(sql<{ n: number }[]>`SELECT epoch::integer AS n FROM outbox_cursor`);
  const fenced = (): number => sum((counts) => counts.fenced);
  return {
    writers,
    naive,
    committed: () => one(sql<{ n: number }[]>`SELECT sum(version)::integer AS n FROM ride`),
    upheavals: async () => (await takeovers()) + fenced(),
    async counts() {
      return { takeovers: await takeovers(), fenced: fenced(), crashes: sum((counts) => counts.crashes), pauses: sum((counts) => counts.pauses) };
    },
    async stop() {
      await Promise.allSettled([writers.stop(), naive.stop(), ...relays.map((relay) => relay.stop())]);
    },
  };
}

/** Each transaction takes its xid before the ride's lock; one in twenty commits late, one in twenty not at all. */
function startWriters(sql: Pool, seed: number) {
  let stopping = false;
  let aborted = 0;
  const abort = new Error("the writer changed its mind");
  const write = async (writer: number): Promise<void> => {
    const random = createSeededRandom(seed * 100 + writer);
    while (!stopping) {
      const key = Math.floor(random.next() * keys);
      const slow = random.next() < 0.05;
      const gives = random.next() < 0.05;
      const transaction = sql.begin(async (tx) => {
        await tx`SELECT pg_current_xact_id(), pg_sleep(${(random.next() * 3) / 1_000}::float8)`;
        const [ride] = await tx<{ version: number }[]>`UPDATE ride SET version = version + 1 WHERE key = ${key} RETURNING version`;
        const payload = new TextEncoder().encode(String(ride?.version));
        const row = {
          homeRegion: "ewr",
          topic: "ride-events.v1",
          partition: key % partitions,
          key: String(key),
          eventId: Bun.randomUUIDv7(),
          payload,
          headers: {},
        };
        await appendOutbox(tx, [row]);
        if (slow) await tx`SELECT pg_sleep(0.06)`;
        if (gives) throw abort;
      });
      await transaction.catch((error: unknown) => {
        if (error !== abort) throw error;
        aborted++;
      });
    }
  };
  const all = Promise.all(Array.from({ length: 24 }, (_, writer) => write(writer)));
  return {
    aborted: () => aborted,
    async stop() {
      stopping = true;
      await all;
    },
  };
}

/** `WHERE id > last`: what one writes first. It is given two seconds after the last commit to be complete. */
function followById(sql: Pool) {
  const seen: Sighting[] = [];
  let last = 0;
  let stopping = false;
  const follow = async (): Promise<void> => {
    for (let idle = 0; !stopping || idle < 50;) {
      const rows = await sql<
        { id: number; key: string; payload: Uint8Array }[]
      >`SELECT id::float8 AS id, key, payload FROM outbox WHERE id > ${last} ORDER BY id LIMIT 500`;
      for (const row of rows) seen.push({ key: row.key, version: Number(new TextDecoder().decode(row.payload)) });
      last = rows.at(-1)?.id ?? last;
      idle = rows.length > 0 ? 0 : idle + 1;
      if (rows.length < 500) await Bun.sleep(5);
    }
  };
  const following = follow();
  return {
    async stop(): Promise<readonly Sighting[]> {
      stopping = true;
      await following;
      return seen;
    },
  };
}

type RelayCounts = { fenced: number; crashes: number; pauses: number };

/** Runs a relay process, restarts it when it dies and wakes it two leases after it stopped itself. */
function superviseRelay(url: string, index: number, seed: number) {
  const counts: RelayCounts = { fenced: 0, crashes: 0, pauses: 0 };
  const program = new URL("./test-programs/run-relay.ts", import.meta.url).pathname;
  let stopping = false;
  let current: { readonly pid: number } | undefined;

  const hear = async (output: ReadableStream<Uint8Array>, pid: number): Promise<void> => {
    for await (const chunk of output) {
      for (const line of new TextDecoder().decode(chunk).split("\n")) {
        if (line === "fenced") counts.fenced++;
        if (line !== "pausing") continue;
        counts.pauses++;
        setTimeout(() => signalIfAlive(pid, "SIGCONT"), 1_000);
      }
    }
  };
  const supervise = async (): Promise<void> => {
    for (let life = 0; !stopping; life++) {
      const args = [url, `relay-${index}.${life}`, String(seed * 1_000 + index * 100 + life), "0.008", "0.008"];
      // The child ends with its standard input, however this process ends.
      const child = Bun.spawn([process.execPath, program, ...args], { stdin: "pipe", stdout: "pipe", stderr: "ignore" });
      current = child;
      const hearing = hear(child.stdout, child.pid);
      await child.exited;
      if (!stopping && child.signalCode === "SIGKILL") counts.crashes++;
      await hearing;
    }
  };
  const supervised = supervise();
  return {
    counts,
    async stop() {
      stopping = true;
      if (current) signalIfAlive(current.pid, "SIGKILL");
      await supervised;
    },
  };
}

function signalIfAlive(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It died in the meantime; its exit is seen elsewhere.
  }
}

async function readLog(log: EventLog): Promise<readonly Sighting[]> {
  const seen: Sighting[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    const { end } = await log.bounds(topic, partition);
    for (let offset = 0; offset < end;) {
      const records = await log.read(topic, partition, offset, { maxRecords: 5_000, maxBytes: 8_000_000, maxWaitMs: 1_000 }, AbortSignal.timeout(10_000));
      for (const { key, value } of records) seen.push({ key, version: Number(new TextDecoder().decode(value)) });
      offset = (records.at(-1)?.offset ?? end) + 1;
    }
  }
  return seen;
}

/** Versions of a key are dense from 1: a first sighting that is not the next one breaks the order. */
function judge(sightings: readonly Sighting[], committed: number): Verdict {
  const seen = new Set<string>();
  const latest = new Map<string, number>();
  let orderBreaks = 0;
  for (const { key, version } of sightings) {
    if (seen.has(`${key}:${version}`)) continue;
    seen.add(`${key}:${version}`);
    if (version !== (latest.get(key) ?? 0) + 1) orderBreaks++;
    latest.set(key, version);
  }
  return { delivered: sightings.length, lost: committed - seen.size, orderBreaks, duplicates: sightings.length - seen.size };
}
