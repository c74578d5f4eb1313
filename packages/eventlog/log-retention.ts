/**
 * Bounded retention of the embedded log: old appends are deleted whole, oldest first, a bounded number a statement,
 * and the partition's start moves in the same statement, so a reader never meets a hole.
 */
import type { Pool } from "./dependencies.ts";
import { embeddedLogLimits } from "./limits.ts";

export async function trimBefore(sql: Pool, at: { readonly topic: string; readonly partition: number; readonly offset: number }): Promise<void> {
  await sql`
    WITH moved AS (
      UPDATE log_partition SET start_offset = ${at.offset}::bigint
      WHERE topic = ${at.topic} AND partition = ${at.partition} AND start_offset < ${at.offset}::bigint AND end_offset >= ${at.offset}::bigint
      RETURNING topic, partition, start_offset
    )
    DELETE FROM log_batch b USING moved
    WHERE b.topic = moved.topic AND b.partition = moved.partition AND b.base_offset + b.record_count <= moved.start_offset`;
}

/** `nowMs` minus a topic's retention is the time before which its appends are deleted. */
export async function trimExpired(sql: Pool, nowMs: number): Promise<void> {
  const expired = await sql<{ topic: string; partition: number }[]>`
    SELECT p.topic, p.partition FROM log_partition p JOIN log_topic t USING (topic)
    WHERE EXISTS (SELECT FROM log_batch b WHERE b.topic = p.topic AND b.partition = p.partition AND b.append_time < ${cutOff(sql, nowMs)})`;
  for (const { topic, partition } of expired) {
    for (;;) {
      const deleted = await trimSome(sql, topic, partition, nowMs);
      if (deleted < embeddedLogLimits.retentionBatchesPerStatement) break;
    }
  }
}

/** Locks the counter before it deletes, as appends do; skips a partition that is busy. */
async function trimSome(sql: Pool, topic: string, partition: number, nowMs: number): Promise<number> {
  const deleted = await sql`
    WITH counter AS (
      SELECT p.topic, p.partition, t.retention_ms FROM log_partition p JOIN log_topic t USING (topic)
      WHERE p.topic = ${topic} AND p.partition = ${partition} FOR UPDATE OF p SKIP LOCKED
    ), gone AS (
      DELETE FROM log_batch b USING counter t
      WHERE b.topic = t.topic AND b.partition = t.partition AND b.base_offset IN (
        SELECT base_offset FROM log_batch old WHERE old.topic = t.topic AND old.partition = t.partition AND old.append_time < ${cutOff(sql, nowMs)}
        ORDER BY base_offset LIMIT ${embeddedLogLimits.retentionBatchesPerStatement})
      RETURNING b.base_offset + b.record_count AS next_offset
    ), moved AS (
      UPDATE log_partition p SET start_offset = greatest(start_offset, (SELECT max(next_offset) FROM gone))
      WHERE p.topic = ${topic} AND p.partition = ${partition} AND EXISTS (SELECT FROM gone)
    )
    SELECT FROM gone`;
  return deleted.count;
}

function cutOff(sql: Pool, nowMs: number) {
  return sql`to_timestamp((${nowMs}::float8 - t.retention_ms) / 1000)`;
}
