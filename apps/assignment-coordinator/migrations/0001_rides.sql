-- Rides, offers, drivers, quotes: what the single writer owns. Names are unqualified: the connection's schema is
-- the writer's. Keys and partial unique indexes are the guards of I1 and I2; code only makes them rarely needed.

CREATE TABLE fare_quote (
  quote_id uuid PRIMARY KEY,
  rider_id text NOT NULL,
  market_id text NOT NULL,
  home_region text NOT NULL,
  partition integer NOT NULL,
  pickup_latitude double precision NOT NULL,
  pickup_longitude double precision NOT NULL,
  dropoff_latitude double precision NOT NULL,
  dropoff_longitude double precision NOT NULL,
  seats integer NOT NULL CHECK (seats BETWEEN 1 AND 8),
  currency_code text NOT NULL,
  fare_minor bigint NOT NULL CHECK (fare_minor >= 0),
  surge double precision NOT NULL,
  trip_meters integer NOT NULL,
  trip_seconds integer NOT NULL,
  pickup_eta_seconds integer NOT NULL,
  expire_time timestamptz NOT NULL
);
CREATE INDEX fare_quote_expire_time ON fare_quote (expire_time);

-- One row is the whole ride. `driver_id` and `vehicle_*` are the live offer's while `offer_id` is set, and the last
-- driver's once the ride has ended. `pin_failures` is no part of the ride's events: a wrong PIN changes no state.
CREATE TABLE ride (
  ride_id uuid PRIMARY KEY,
  home_region text NOT NULL,
  market_id text NOT NULL,
  partition integer NOT NULL,
  rider_id text NOT NULL,
  quote_id uuid NOT NULL CONSTRAINT ride_quote_once UNIQUE,
  pickup_latitude double precision NOT NULL,
  pickup_longitude double precision NOT NULL,
  dropoff_latitude double precision NOT NULL,
  dropoff_longitude double precision NOT NULL,
  seats integer NOT NULL,
  currency_code text NOT NULL,
  fare_minor bigint NOT NULL,
  surge double precision NOT NULL,
  trip_meters integer NOT NULL,
  trip_seconds integer NOT NULL,
  create_time timestamptz NOT NULL,
  status text NOT NULL CHECK (status IN ('requested', 'offered', 'assigned', 'arrived', 'in_progress', 'completed', 'canceled', 'no_drivers')),
  version bigint NOT NULL CHECK (version > 0),
  attempt integer NOT NULL,
  blocked_drivers text[] NOT NULL DEFAULT '{}',
  offer_id uuid,
  driver_id text,
  offer_expire_time timestamptz,
  pickup_eta_seconds integer,
  vehicle_seats integer,
  vehicle_plate text,
  vehicle_model text,
  timer_kind text CHECK (timer_kind IN ('search', 'offer', 'arrival', 'no_show')),
  timer_at timestamptz,
  search_deadline timestamptz NOT NULL,
  assign_time timestamptz,
  no_show_time timestamptz,
  start_time timestamptz,
  end_time timestamptz,
  canceled_by text,
  cancel_reason text,
  cancellation_fee_minor bigint,
  pin_failures integer NOT NULL DEFAULT 0,
  update_time timestamptz NOT NULL,
  CHECK ((timer_kind IS NULL) = (timer_at IS NULL)),
  CHECK ((offer_id IS NOT NULL) = (status IN ('offered', 'assigned', 'arrived', 'in_progress'))),
  CHECK (offer_id IS NULL OR driver_id IS NOT NULL)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX ride_one_open_per_rider ON ride (rider_id) WHERE status IN ('requested', 'offered', 'assigned', 'arrived', 'in_progress');
CREATE INDEX ride_timer ON ride (timer_at) WHERE timer_at IS NOT NULL;
CREATE INDEX ride_open_work ON ride (home_region, partition) WHERE status IN ('requested', 'offered', 'assigned', 'arrived', 'in_progress');
CREATE INDEX ride_history ON ride (rider_id, create_time DESC, ride_id DESC);

CREATE TABLE offer (
  offer_id uuid PRIMARY KEY,
  ride_id uuid NOT NULL REFERENCES ride,
  driver_id text NOT NULL,
  attempt integer NOT NULL,
  status text NOT NULL CHECK (status IN ('pending', 'accepted', 'declined', 'expired', 'withdrawn', 'released', 'finished')),
  expire_time timestamptz NOT NULL,
  proposal_id uuid NOT NULL,
  lease_epoch bigint NOT NULL,
  pickup_eta_seconds integer NOT NULL,
  create_time timestamptz NOT NULL,
  accept_time timestamptz,
  end_time timestamptz
) WITH (fillfactor = 80);
-- I1 and I2 for drivers, in one index, across regions; and for rides.
CREATE UNIQUE INDEX offer_one_live_per_driver ON offer (driver_id) WHERE status IN ('pending', 'accepted');
CREATE UNIQUE INDEX offer_one_live_per_ride ON offer (ride_id) WHERE status IN ('pending', 'accepted');
CREATE INDEX offer_of_ride ON offer (ride_id);

-- `on_shift` is what the index needs to know, so that the changes during a shift stay heap-only.
CREATE TABLE driver (
  driver_id text PRIMARY KEY,
  status text NOT NULL CHECK (status IN ('offline', 'available', 'offered', 'en_route', 'on_trip')),
  version bigint NOT NULL,
  shift_id uuid,
  home_region text,
  market_id text,
  partition integer,
  vehicle_seats integer,
  vehicle_plate text,
  vehicle_model text,
  accept_reassignment boolean NOT NULL DEFAULT false,
  shift_start_time timestamptz,
  ride_id uuid,
  offer_id uuid,
  update_time timestamptz NOT NULL,
  on_shift boolean GENERATED ALWAYS AS (status <> 'offline') STORED,
  CHECK (status = 'offline' OR shift_id IS NOT NULL),
  CHECK ((ride_id IS NOT NULL) = (status IN ('offered', 'en_route', 'on_trip')))
) WITH (fillfactor = 60);
CREATE INDEX driver_on_shift ON driver (home_region, partition) WHERE on_shift;

CREATE TABLE request (
  principal text NOT NULL,
  method text NOT NULL,
  request_id uuid NOT NULL,
  fingerprint bytea NOT NULL,
  answer bytea NOT NULL,
  -- A refusal that changed something (a wrong PIN counts); then `answer` is empty.
  refusal jsonb,
  create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT request_once PRIMARY KEY (principal, method, request_id)
);
CREATE INDEX request_create_time ON request (create_time);

-- Money moves in transfers: their lines sum to zero in each currency, checked when the transaction commits.
CREATE TABLE ledger_entry (
  transfer_id uuid NOT NULL,
  line integer NOT NULL,
  account text NOT NULL,
  currency_code text NOT NULL,
  amount_minor bigint NOT NULL,
  kind text NOT NULL CHECK (kind IN ('fare', 'cancellation_fee', 'waiver')),
  ride_id uuid NOT NULL REFERENCES ride,
  create_time timestamptz NOT NULL,
  PRIMARY KEY (transfer_id, line)
);
-- A ride is charged once, and a fee given back once.
CREATE UNIQUE INDEX ledger_entry_once ON ledger_entry (ride_id, kind, line);

CREATE FUNCTION check_transfer_balances() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  changed uuid := CASE WHEN TG_OP = 'DELETE' THEN OLD.transfer_id ELSE NEW.transfer_id END;
  unbalanced record;
BEGIN
  SELECT currency_code, sum(amount_minor) AS difference INTO unbalanced
  FROM ledger_entry WHERE transfer_id = changed GROUP BY currency_code HAVING sum(amount_minor) <> 0 LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'Cannot commit transfer "%": its % lines sum to %', changed, unbalanced.currency_code, unbalanced.difference USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_transfer_balances';
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_transfer_balances AFTER INSERT OR UPDATE OR DELETE ON ledger_entry
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_transfer_balances();

CREATE TABLE audit_entry (
  audit_id uuid PRIMARY KEY,
  principal text NOT NULL,
  method text NOT NULL,
  reason text NOT NULL,
  subject text NOT NULL,
  before text NOT NULL,
  after text NOT NULL,
  create_time timestamptz NOT NULL
);

CREATE INDEX audit_entry_newest ON audit_entry (create_time DESC, audit_id DESC);

-- A region without a row serves itself and is not draining.
CREATE TABLE region_state (
  region text PRIMARY KEY,
  draining boolean NOT NULL DEFAULT false,
  served_by text NOT NULL,
  epoch bigint NOT NULL DEFAULT 0
);
