-- Rides as the fold of their events; `ride` is the domain's ride, the columns beside it are for searching.
CREATE TABLE ride_view (
  home_region text NOT NULL,
  ride_id uuid NOT NULL,
  partition integer NOT NULL,
  market_id text NOT NULL,
  rider_id text NOT NULL,
  driver_id text,
  status text NOT NULL,
  open boolean NOT NULL,
  version bigint NOT NULL CHECK (version > 0),
  create_time timestamptz NOT NULL,
  update_time timestamptz NOT NULL,
  ride jsonb NOT NULL,
  PRIMARY KEY (home_region, ride_id)
);
CREATE INDEX ride_view_newest ON ride_view (home_region, create_time DESC, ride_id DESC);
CREATE INDEX ride_view_open ON ride_view (home_region, create_time DESC, ride_id DESC) WHERE open;
CREATE INDEX ride_view_rider ON ride_view (home_region, rider_id, create_time DESC, ride_id DESC);
CREATE INDEX ride_view_driver ON ride_view (home_region, driver_id, create_time DESC, ride_id DESC) WHERE driver_id IS NOT NULL;

-- Every applied event with where it came from: the timeline, and what a resumed stream is folded from.
CREATE TABLE ride_event (
  home_region text NOT NULL,
  ride_id uuid NOT NULL,
  version bigint NOT NULL,
  type text NOT NULL,
  event_id text NOT NULL,
  driver_id text,
  occur_time timestamptz NOT NULL,
  topic text NOT NULL,
  partition integer NOT NULL,
  "offset" bigint NOT NULL,
  append_time timestamptz NOT NULL,
  outbox_id bigint NOT NULL,
  trace_id text NOT NULL,
  payload bytea NOT NULL,
  PRIMARY KEY (home_region, ride_id, version)
);
CREATE INDEX ride_event_offset ON ride_event (home_region, partition, "offset");

-- Events that came before the one they follow, and wait for it. Empty on a healthy platform.
CREATE TABLE parked_ride_event (
  home_region text NOT NULL,
  ride_id uuid NOT NULL,
  version bigint NOT NULL,
  topic text NOT NULL,
  partition integer NOT NULL,
  "offset" bigint NOT NULL,
  append_time timestamptz NOT NULL,
  outbox_id bigint NOT NULL,
  payload bytea NOT NULL,
  park_time timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (home_region, ride_id, version)
);

-- The newest event of each driver: it carries the whole driver, the ride and the offer.
CREATE TABLE driver_view (
  home_region text NOT NULL,
  driver_id text NOT NULL,
  partition integer NOT NULL,
  market_id text NOT NULL,
  status text NOT NULL,
  version bigint NOT NULL CHECK (version > 0),
  update_time timestamptz NOT NULL,
  payload bytea NOT NULL,
  PRIMARY KEY (home_region, driver_id)
);
CREATE INDEX driver_view_market ON driver_view (home_region, market_id) WHERE status <> 'offline';

-- A driver's newest versions, for streams that resume; pruned.
CREATE TABLE driver_event (
  home_region text NOT NULL,
  driver_id text NOT NULL,
  version bigint NOT NULL,
  partition integer NOT NULL,
  "offset" bigint NOT NULL,
  occur_time timestamptz NOT NULL,
  payload bytea NOT NULL,
  PRIMARY KEY (home_region, driver_id, version)
);
CREATE INDEX driver_event_offset ON driver_event (home_region, partition, "offset");
CREATE INDEX driver_event_time ON driver_event (home_region, occur_time);
