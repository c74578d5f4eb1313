-- A dead letter's name for operators: a UUIDv7, so that the order of ids is the order of time over all regions and consumers.
ALTER TABLE dead_letter ADD COLUMN dead_letter_id uuid NOT NULL DEFAULT (
  lpad(to_hex(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '7' || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid;
CREATE UNIQUE INDEX dead_letter_name ON dead_letter (dead_letter_id);
CREATE INDEX dead_letter_unresolved ON dead_letter (consumer, home_region, dead_letter_id) WHERE resolve_time IS NULL;
