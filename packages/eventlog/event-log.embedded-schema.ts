/**
 * The tables of the embedded log, made where they are missing. One database holds the log of a region (or of several).
 *
 * `log_partition` is the counter that appends lock: offsets are assigned under its row lock, so their order is commit
 * order. It is updated in place (`fillfactor`); `log_batch` is only ever inserted and deleted.
 */
import type { Pool } from "./dependencies.ts";

/** Any number; it only has to be the same in every process. */
const schemaLock = 7_306_101;

export async function ensureLogSchema(sql: Pool): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`SELECT pg_advisory_xact_lock(${schemaLock})`;
    // Even "IF NOT EXISTS" would lock out the appends of a running process.
    const [found] = await tx<{ exists: boolean }[]>`SELECT to_regclass('log_batch') IS NOT NULL AS exists`;
    if (!found?.exists) await tx.unsafe(schema);
  });
}

const schema = `
CREATE TABLE log_topic (
  topic        text PRIMARY KEY,
  partitions   integer NOT NULL CHECK (partitions > 0),
  retention_ms bigint NOT NULL CHECK (retention_ms > 0)
);

CREATE TABLE log_partition (
  topic            text NOT NULL REFERENCES log_topic,
  partition        integer NOT NULL,
  start_offset     bigint NOT NULL DEFAULT 0,
  end_offset       bigint NOT NULL DEFAULT 0,
  -- Never goes back, whatever the clock does: offset-at-time needs times that grow with offsets.
  last_append_time timestamptz NOT NULL DEFAULT '-infinity',
  PRIMARY KEY (topic, partition),
  CHECK (start_offset <= end_offset)
) WITH (fillfactor = 20);

-- One row an append: records of offsets [base_offset, base_offset + record_count).
CREATE TABLE log_batch (
  topic        text NOT NULL,
  partition    integer NOT NULL,
  base_offset  bigint NOT NULL,
  record_count integer NOT NULL CHECK (record_count > 0),
  append_time  timestamptz NOT NULL,
  byte_count   integer NOT NULL,
  records      bytea NOT NULL,
  PRIMARY KEY (topic, partition, base_offset)
);
CREATE INDEX log_batch_time ON log_batch (topic, partition, append_time, base_offset);
-- Payloads do not compress well enough to pay for it.
ALTER TABLE log_batch ALTER COLUMN records SET STORAGE EXTERNAL;
`;
