/**
 * Keeps the outbox's time partitions: later ones are made ahead of time, old ones are dropped when every cursor is past
 * them. One process at a time; no statement waits for a lock longer than a second, so writers never queue behind it.
 */
import type { Clock } from "@ridegrid/domain";
import type { Pool, Queryable } from "./dependencies.ts";
import { outboxLimits } from "./limits.ts";

type Partition = { readonly name: string; readonly number: number; readonly attached: boolean; readonly detaching: boolean };

export type OutboxMaintenance = { readonly made: readonly string[]; readonly dropped: readonly string[] };

const maintenanceLock = 7_306_102;

/**
 * Answers nothing made and nothing dropped where another process is at it. `clock` is the database's own when left out: rows
 * lie in partitions by its time. @throws on a lock that somebody holds for long; what was begun is finished by a later call.
 */
export async function maintainOutboxPartitions(sql: Pool, clock?: Clock): Promise<OutboxMaintenance> {
  const connection = await sql.reserve();
  try {
    const [lock] = await connection<{ taken: boolean }[]>`
      SELECT pg_try_advisory_lock(${maintenanceLock}, hashtext(current_schema())) AS taken`;
    if (!lock?.taken) return { made: [], dropped: [] };
    try {
      await connection`SELECT set_config('lock_timeout', ${String(outboxLimits.lockTimeoutMs)}, false)`;
      const now = numberAt(clock?.nowMs() ?? (await databaseNowMs(connection)));
      return { made: await makeAhead(connection, now), dropped: await dropOld(connection, now) };
    } finally {
      await connection`RESET lock_timeout`;
      await connection`SELECT pg_advisory_unlock(${maintenanceLock}, hashtext(current_schema()))`;
    }
  } finally {
    connection.release();
  }
}

/** Attached rather than created in place: ATTACH does not lock out writers, CREATE … PARTITION OF does. */
async function makeAhead(sql: Queryable, now: number): Promise<readonly string[]> {
  const existing = new Map((await listPartitions(sql)).map((partition) => [partition.number, partition]));
  const made: string[] = [];
  for (let number = now; number <= now + outboxLimits.partitionsAhead; number++) {
    if (existing.get(number)?.attached) continue;
    const name = `outbox_p${number}`;
    const seconds = outboxLimits.partitionMs / 1000;
    await sql.unsafe(`
      CREATE TABLE IF NOT EXISTS ${name} (LIKE outbox INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
      ALTER TABLE outbox ATTACH PARTITION ${name} FOR VALUES FROM (to_timestamp(${number * seconds})) TO (to_timestamp(${(number + 1) * seconds}))`);
    made.push(name);
  }
  return made;
}

/** A drop that an earlier run left half done (detaching, or detached and not dropped) is finished first. */
async function dropOld(sql: Queryable, now: number): Promise<readonly string[]> {
  const oldest = now - Math.ceil(outboxLimits.keepMs / outboxLimits.partitionMs);
  const dropped: string[] = [];
  for (const partition of await listPartitions(sql)) {
    if (partition.number >= oldest || (await holdsUnsentRows(sql, partition.name))) continue;
    if (partition.detaching) await sql.unsafe(`ALTER TABLE outbox DETACH PARTITION ${partition.name} FINALIZE`);
    else if (partition.attached) await sql.unsafe(`ALTER TABLE outbox DETACH PARTITION ${partition.name} CONCURRENTLY`);
    await sql.unsafe(`DROP TABLE ${partition.name}`);
    dropped.push(partition.name);
  }
  return dropped;
}

/** A row of a region that has no cursor yet is unsent too. */
async function holdsUnsentRows(sql: Queryable, name: string): Promise<boolean> {
  const [row] = await sql.unsafe<{ unsent: boolean }[]>(`
    SELECT EXISTS (SELECT FROM ${name} o JOIN outbox_cursor c USING (home_region)
        WHERE o.xid >= pg_snapshot_xmin(c.snap_from) AND NOT pg_visible_in_snapshot(o.xid, c.snap_from))
      OR EXISTS (SELECT FROM ${name} o WHERE NOT EXISTS (SELECT FROM outbox_cursor c WHERE c.home_region = o.home_region)) AS unsent`);
  return row?.unsent ?? true;
}

/** Partition n holds the rows of `partitionMs` from n × `partitionMs` on, since the epoch. */
function numberAt(timeMs: number): number {
  return Math.floor(timeMs / outboxLimits.partitionMs);
}

async function databaseNowMs(sql: Queryable): Promise<number> {
  const [row] = await sql<{ now: number }[]>`SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now`;
  if (!row) throw new Error("Cannot read the database's clock: no row");
  return row.now;
}

async function listPartitions(sql: Queryable): Promise<readonly Partition[]> {
  return await sql<Partition[]>`
    SELECT c.relname AS name, substr(c.relname, 9)::float8 AS number, i.inhrelid IS NOT NULL AS attached, coalesce(i.inhdetachpending, false) AS detaching
    FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND c.relname ~ '^outbox_p[0-9]+$'
    ORDER BY 2`;
}
