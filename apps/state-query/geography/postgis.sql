-- Searches by place with PostGIS: a GiST index of geographies, nearest first by its order. "POSTGIS" stands for the schema
-- that the extension is in. Its sphere differs from ours by some parts in a billion: it finds, our own distance decides.

DROP INDEX IF EXISTS driver_position_band;
DROP INDEX IF EXISTS ride_view_pickup_band;

CREATE INDEX IF NOT EXISTS driver_position_geography ON driver_position
  USING gist ((POSTGIS.geography(POSTGIS.ST_SetSRID(POSTGIS.ST_MakePoint(longitude, latitude), 4326))));
CREATE INDEX IF NOT EXISTS ride_view_pickup_geography ON ride_view
  USING gist ((POSTGIS.geography(POSTGIS.ST_SetSRID(POSTGIS.ST_MakePoint(pickup_longitude, pickup_latitude), 4326))));

CREATE OR REPLACE FUNCTION nearest_available_drivers(
  in_region text, near_latitude float8, near_longitude float8, radius_meters float8, seen_after timestamptz, drivers_max integer)
RETURNS TABLE (driver_id text, market_id text, latitude float8, longitude float8, heading_degrees float8, observe_time timestamptz, distance_meters float8)
LANGUAGE plpgsql STABLE ROWS 20 AS $$
#variable_conflict use_column
DECLARE
  near CONSTANT POSTGIS.geography := POSTGIS.geography(POSTGIS.ST_SetSRID(POSTGIS.ST_MakePoint(near_longitude, near_latitude), 4326));
BEGIN
  RETURN QUERY
    SELECT * FROM (
      SELECT p.driver_id, v.market_id, p.latitude, p.longitude, p.heading_degrees, p.observe_time,
             great_circle_meters(p.latitude, p.longitude, near_latitude, near_longitude) AS distance_meters
      FROM driver_position p
      JOIN driver_view v ON v.home_region = p.home_region AND v.driver_id = p.driver_id
      WHERE p.home_region = in_region AND v.status = 'available' AND p.observe_time >= seen_after
        AND POSTGIS.ST_DWithin(POSTGIS.geography(POSTGIS.ST_SetSRID(POSTGIS.ST_MakePoint(p.longitude, p.latitude), 4326)), near, radius_meters + 1, false)
        AND great_circle_meters(p.latitude, p.longitude, near_latitude, near_longitude) <= radius_meters
      ORDER BY POSTGIS.geography(POSTGIS.ST_SetSRID(POSTGIS.ST_MakePoint(p.longitude, p.latitude), 4326)) OPERATOR(POSTGIS.<->) near
      LIMIT drivers_max) AS found
    ORDER BY found.distance_meters, found.driver_id;
END $$;

-- Inlined where it is called, so that the caller's filters and order choose the index.
CREATE OR REPLACE FUNCTION rides_in_area(in_region text, near_latitude float8, near_longitude float8, radius_meters float8)
RETURNS SETOF ride_view LANGUAGE sql STABLE AS $$
  SELECT v.* FROM ride_view v
  WHERE v.home_region = in_region
    AND POSTGIS.ST_DWithin(POSTGIS.geography(POSTGIS.ST_SetSRID(POSTGIS.ST_MakePoint(v.pickup_longitude, v.pickup_latitude), 4326)),
                           POSTGIS.geography(POSTGIS.ST_SetSRID(POSTGIS.ST_MakePoint(near_longitude, near_latitude), 4326)), radius_meters + 1, false)
    AND great_circle_meters(v.pickup_latitude, v.pickup_longitude, near_latitude, near_longitude) <= radius_meters
$$;
