-- Where drivers on the move were last recorded, for searches by place. A copy of what telemetry says again within
-- seconds: not in the write-ahead log, and empty after a crash of the server.
CREATE UNLOGGED TABLE driver_position (
  home_region text NOT NULL,
  driver_id text NOT NULL,
  latitude float8 NOT NULL CHECK (latitude BETWEEN -90 AND 90),
  longitude float8 NOT NULL CHECK (longitude BETWEEN -180 AND 180),
  heading_degrees float8 NOT NULL,
  observe_time timestamptz NOT NULL,
  sequence bigint NOT NULL,
  PRIMARY KEY (home_region, driver_id)
);

-- Which form of the functions of `geography/` is in place.
CREATE TABLE geography_form (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  form text NOT NULL CHECK (form IN ('portable', 'postgis')),
  checksum text NOT NULL
);

-- Where a ride's rider waits.
CREATE FUNCTION pickup_latitude(ride jsonb) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN (ride -> 'pickup' ->> 'latitude')::float8;
CREATE FUNCTION pickup_longitude(ride jsonb) RETURNS float8 LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN (ride -> 'pickup' ->> 'longitude')::float8;

-- The distance that both forms answer: the haversine of `packages/domain/geo.ts`, on the same sphere.
CREATE FUNCTION great_circle_meters(latitude_a float8, longitude_a float8, latitude_b float8, longitude_b float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 2 * 6371008.8 * asin(least(1, sqrt(
  sin(radians(latitude_b - latitude_a) / 2) ^ 2 + cos(radians(latitude_a)) * cos(radians(latitude_b)) * sin(radians(longitude_b - longitude_a) / 2) ^ 2)));
