-- Letters of one statement share a millisecond: ids carry its fraction and a counter too, so that their order is that of writing.
CREATE SEQUENCE dead_letter_order;
ALTER SEQUENCE dead_letter_order OWNED BY dead_letter.dead_letter_id;
-- UUIDv7 (RFC 9562): 48 bits of milliseconds, version, 12 bits of their fraction, variant, 28 bits of the counter, the rest random.
ALTER TABLE dead_letter ALTER COLUMN dead_letter_id SET DEFAULT (
  overlay(lpad(to_hex(floor(extract(epoch FROM clock_timestamp()) * 4096000)::bigint), 15, '0') PLACING '7' FROM 13 FOR 0)
  || '8' || lpad(to_hex(nextval('dead_letter_order') % 268435456), 7, '0') || substr(replace(gen_random_uuid()::text, '-', ''), 1, 8))::uuid;
