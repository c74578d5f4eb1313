/**
 * The load that `postgres.integration.test.ts` runs in a process of its own while backends are killed under it:
 * transactions, also with COMMIT sent behind what is written, plain inserts, cursors. Prints one JSON line of counts; a process that dies prints none.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { createPostgres, type Sql } from "./postgres.ts";

const url = process.argv[2] ?? "";
const startedMs = performance.now();
/** On a quiet machine it ends here; on a busy one when enough was done and enough was killed, or at the bound. */
const enoughMs = Number(process.argv[3]);
const boundMs = enoughMs * 5;
const hangBoundMs = 8_000;
const rowsPerTransaction = 4;
const cursorRows = 4_000;

const counts = { committed: 0, committedInTwoTrips: 0, inserted: 0, cursorsRead: 0, failed: 0, hung: 0, truncated: 0, half: 0, lost: 0 };
const acknowledged = new Set<string>();
const sql = createPostgres({ url, max: 12, applicationName: "kill-load" });

await Promise.all([
  ...Array.from({ length: 4 }, (_, worker) => repeat(`tx-${worker}`, transaction)),
  ...Array.from({ length: 3 }, (_, worker) => repeat(`trips-${worker}`, twoTrips)),
  ...Array.from({ length: 4 }, (_, worker) => repeat(`plain-${worker}`, plainInsert)),
  ...Array.from({ length: 3 }, (_, worker) => repeat(`cursor-${worker}`, cursorRead)),
]);
await settle();
process.stdout.write(`${JSON.stringify(counts)}\n`);
process.exit(0);

async function repeat(worker: string, operation: (key: string) => Promise<void>): Promise<void> {
  for (let n = 0; !isEnough(); n++) {
    const outcome = await Promise.race([
      operation(`${worker}:${n}`).then(
        () => "done" as const,
        () => "failed" as const,
      ),
      sleep(hangBoundMs, "hung" as const, { ref: false }),
    ]);
    if (outcome !== "done") counts[outcome] += 1;
    if (outcome === "hung") return;
  }
}

function isEnough(): boolean {
  const elapsedMs = performance.now() - startedMs;
  const seenEnough = counts.committed > 200 && counts.committedInTwoTrips > 100 && counts.inserted > 200 && counts.cursorsRead > 10 && counts.failed > 100;
  return elapsedMs > boundMs || (elapsedMs > enoughMs && seenEnough);
}

/** Rests in its middle, so that a kill finds it with nothing in flight, and sends several statements at once. */
async function transaction(key: string): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`INSERT INTO load_row (key, part) VALUES (${key}, ${1})`;
    await sleep(Number(key.split(":")[1]) % 4);
    await Promise.all([2, 3].map((part) => tx`INSERT INTO load_row (key, part) VALUES (${key}, ${part})`));
    await tx`INSERT INTO load_row (key, part) VALUES (${key}, ${4})`;
  });
  counts.committed += 1;
  acknowledged.add(key);
}

/** A connection of its own; nothing of it may ever be sent on another, or half of it would stay. */
async function twoTrips(key: string): Promise<void> {
  const connection = await sql.reserve();
  let ended = false;
  try {
    await Promise.all([connection.unsafe("BEGIN").execute(), ...[1, 2].map((part) => connection`INSERT INTO load_row (key, part) VALUES (${key}, ${part})`)]);
    await sleep(Number(key.split(":")[1]) % 4);
    ended = true;
    const written = connection`INSERT INTO load_row (key, part) SELECT ${key}, generate_series(3, ${rowsPerTransaction}::int)`.execute();
    await Promise.all([written, connection.unsafe("COMMIT").execute()]);
  } finally {
    if (!ended) await connection.unsafe("ROLLBACK").catch(() => undefined);
    connection.release();
  }
  counts.committedInTwoTrips += 1;
  acknowledged.add(key);
}

async function plainInsert(key: string): Promise<void> {
  await sql`INSERT INTO load_row (key, part) SELECT ${key}, generate_series(1, ${rowsPerTransaction}::int)`;
  counts.inserted += 1;
  acknowledged.add(key);
}

/** A cursor that ends without an error must have answered every row. */
async function cursorRead(): Promise<void> {
  let seen = 0;
  await sql.begin(async (tx) => {
    for await (const rows of tx`SELECT generate_series(1, ${cursorRows}::int) AS n`.cursor(500)) {
      seen += rows.length;
      await sleep(1);
    }
    if (seen !== cursorRows) counts.truncated += 1;
  });
  counts.cursorsRead += 1;
}

async function settle(): Promise<void> {
  const check: Sql = createPostgres({ url, max: 1, applicationName: "kill-load-check" });
  const groups = await check<{ key: string; parts: number }[]>`SELECT key, count(*) AS parts FROM load_row GROUP BY key`;
  counts.half = groups.filter((group) => group.parts !== rowsPerTransaction).length;
  const stored = new Set(groups.map((group) => group.key));
  counts.lost = [...acknowledged].filter((key) => !stored.has(key)).length;
  await check.end();
}
