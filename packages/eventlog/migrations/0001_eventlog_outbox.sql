-- Events that a writer commits with its effect and its relay appends to the log, in order per ride.
-- CACHE 1: ids of one ride must grow in the order in which transactions hold its row lock, over all sessions.
CREATE SEQUENCE outbox_id CACHE 1;

CREATE TABLE outbox (
  id          bigint NOT NULL DEFAULT nextval('outbox_id'),
  -- The writing transaction: a batch is what is visible in one snapshot and was not in an earlier one.
  xid         xid8 NOT NULL DEFAULT pg_current_xact_id(),
  home_region text NOT NULL,
  -- Without the region: the physical topic is <home_region>.<topic>.
  topic       text NOT NULL,
  partition   integer NOT NULL CHECK (partition >= 0),
  key         text NOT NULL,
  event_id    uuid NOT NULL,
  payload     bytea NOT NULL,
  headers     jsonb NOT NULL DEFAULT '{}',
  create_time timestamptz NOT NULL DEFAULT clock_timestamp()
) PARTITION BY RANGE (create_time);
CREATE INDEX outbox_relay ON outbox (home_region, xid);
ALTER SEQUENCE outbox_id OWNED BY outbox.id;

-- Partition n holds the rows of [n × 6 h, (n + 1) × 6 h) since the epoch. The relay makes later ones ahead of time
-- and drops old ones; a table without a partition for now would refuse every write.
DO $$
DECLARE
  first bigint := floor(extract(epoch FROM clock_timestamp()) / 21600);
BEGIN
  FOR n IN first .. first + 6 LOOP
    EXECUTE format('CREATE TABLE outbox_p%s PARTITION OF outbox FOR VALUES FROM (%L) TO (%L)',
      n, to_timestamp(n * 21600), to_timestamp((n + 1) * 21600));
  END LOOP;
END $$;

-- One relay at a time per home region. (snap_from, snap_to] fixes the batch being sent; snap_to is null between batches.
-- Everything up to last_id of that batch is in the log.
CREATE TABLE outbox_cursor (
  home_region text PRIMARY KEY,
  owner       text,
  epoch       bigint NOT NULL DEFAULT 0,
  lease_until timestamptz NOT NULL DEFAULT 'epoch',
  snap_from   pg_snapshot NOT NULL,
  snap_to     pg_snapshot,
  last_id     bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 20);
