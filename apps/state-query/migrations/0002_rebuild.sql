-- A rebuild folds the rides of a region into these, beside the live tables; empty between rebuilds.
CREATE TABLE rebuilt_ride_view (LIKE ride_view INCLUDING DEFAULTS, PRIMARY KEY (home_region, ride_id));
CREATE TABLE rebuilt_ride_event (LIKE ride_event INCLUDING DEFAULTS, PRIMARY KEY (home_region, ride_id, version));
CREATE TABLE rebuilt_parked_ride_event (LIKE parked_ride_event INCLUDING DEFAULTS, PRIMARY KEY (home_region, ride_id, version));

-- The newest stored snapshot of each region's rides: what they were when every event below the position was folded.
CREATE TABLE snapshot_ride_view (LIKE ride_view INCLUDING DEFAULTS, PRIMARY KEY (home_region, ride_id));
CREATE TABLE snapshot_parked_ride_event (LIKE parked_ride_event INCLUDING DEFAULTS, PRIMARY KEY (home_region, ride_id, version));
CREATE TABLE snapshot_position (
  home_region text NOT NULL,
  partition integer NOT NULL,
  next_offset bigint NOT NULL,
  take_time timestamptz NOT NULL,
  PRIMARY KEY (home_region, partition)
);

-- What came of each rebuild, in the swap's own transaction: the same request again is answered from here.
CREATE TABLE rebuild (
  request_id uuid PRIMARY KEY,
  home_region text NOT NULL,
  principal text NOT NULL,
  hash_before text NOT NULL,
  hash_after text NOT NULL,
  rides bigint NOT NULL,
  started_from text NOT NULL CHECK (started_from IN ('log', 'snapshot')),
  finish_time timestamptz NOT NULL DEFAULT now()
);
