-- Who consumes a partition of a home region. The epoch grows by one each time that it is gained, and fences its holder's writes.
CREATE TABLE lease (
  home_region text NOT NULL,
  consumer    text NOT NULL,
  partition   integer NOT NULL,
  owner       text,
  epoch       bigint NOT NULL DEFAULT 0,
  lease_until timestamptz NOT NULL DEFAULT 'epoch',
  PRIMARY KEY (home_region, consumer, partition)
) WITH (fillfactor = 20);

-- The next offset to read, written in the transaction of the effect. `topic` is the physical name.
CREATE TABLE checkpoint (
  home_region text NOT NULL,
  consumer    text NOT NULL,
  topic       text NOT NULL,
  partition   integer NOT NULL,
  next_offset bigint NOT NULL,
  update_time timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (home_region, consumer, topic, partition)
) WITH (fillfactor = 20);

-- What a consumer could not apply (`poison`), and later records of the same key that wait behind it (`waiting`).
CREATE TABLE dead_letter (
  home_region   text NOT NULL,
  consumer      text NOT NULL,
  topic         text NOT NULL,
  partition     integer NOT NULL,
  record_offset bigint NOT NULL,
  key           text NOT NULL,
  kind          text NOT NULL CHECK (kind IN ('poison', 'waiting')),
  reason        text NOT NULL,
  attempts      integer NOT NULL CHECK (attempts >= 0),
  payload       bytea NOT NULL,
  headers       jsonb NOT NULL,
  create_time   timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- Set when an operator has replayed or discarded it; the key is parked while any of its rows is null here.
  resolve_time  timestamptz,
  PRIMARY KEY (home_region, consumer, topic, partition, record_offset)
);
CREATE INDEX dead_letter_parked ON dead_letter (home_region, consumer, topic, partition, key) WHERE resolve_time IS NULL;
