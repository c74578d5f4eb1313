-- Searches by place on any Postgres, without an extension: the Earth is cut into bands of latitude 1/200 of a degree
-- (556 m) high, and a circle is a few stretches of a few bands, each one range of a B-tree. The distance decides.

DROP INDEX IF EXISTS driver_position_geography;
DROP INDEX IF EXISTS ride_view_pickup_geography;

CREATE OR REPLACE FUNCTION latitude_band(latitude float8) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN floor(latitude * 200)::integer;

CREATE INDEX IF NOT EXISTS driver_position_band ON driver_position (home_region, latitude_band(latitude), longitude);
CREATE INDEX IF NOT EXISTS ride_view_pickup_band ON ride_view (home_region, latitude_band(pickup_latitude(ride)), pickup_longitude(ride));

-- The stretches that hold a circle. One that holds a pole has all longitudes; one across the antimeridian has two a band.
CREATE OR REPLACE FUNCTION circle_stretches(near_latitude float8, near_longitude float8, radius_meters float8)
RETURNS TABLE (band integer, west float8, east float8) LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE ROWS 8 AS $$
DECLARE
  -- What rounding takes from a degree must not cut the circle.
  slack CONSTANT float8 := 1e-9;
  reach CONSTANT float8 := degrees(radius_meters / 6371008.8) + slack;
  width CONSTANT float8 := CASE WHEN abs(near_latitude) + reach >= 90 THEN 180
                                ELSE degrees(asin(least(1, sin(radians(reach)) / cos(radians(near_latitude))))) + slack END;
BEGIN
  FOR band IN latitude_band(greatest(near_latitude - reach, -90)) .. latitude_band(least(near_latitude + reach, 90)) LOOP
    west := CASE WHEN width >= 180 THEN -180 ELSE greatest(near_longitude - width, -180) END;
    east := CASE WHEN width >= 180 THEN 180 ELSE least(near_longitude + width, 180) END;
    circle_stretches.band := band;
    RETURN NEXT;
    CONTINUE WHEN width >= 180;
    IF near_longitude - width < -180 THEN
      west := near_longitude - width + 360;
      east := 180;
      RETURN NEXT;
    END IF;
    IF near_longitude + width > 180 THEN
      west := -180;
      east := near_longitude + width - 360;
      RETURN NEXT;
    END IF;
  END LOOP;
END $$;

-- Inlined where it is called. OFFSET 0 keeps the planner from looking at all drivers first, as it does where it knows
-- nothing of the tables yet.
CREATE OR REPLACE FUNCTION available_drivers_in(in_region text, near_latitude float8, near_longitude float8, radius_meters float8, seen_after timestamptz)
RETURNS TABLE (driver_id text, market_id text, latitude float8, longitude float8, heading_degrees float8, observe_time timestamptz, distance_meters float8)
LANGUAGE sql STABLE AS $$
  SELECT p.driver_id, v.market_id, p.latitude, p.longitude, p.heading_degrees, p.observe_time, p.distance_meters
  FROM circle_stretches(near_latitude, near_longitude, radius_meters) s
  CROSS JOIN LATERAL (
    SELECT *, great_circle_meters(latitude, longitude, near_latitude, near_longitude) AS distance_meters FROM driver_position
    WHERE home_region = in_region AND latitude_band(latitude) = s.band AND longitude BETWEEN s.west AND s.east AND observe_time >= seen_after
    OFFSET 0) p
  CROSS JOIN LATERAL (
    SELECT market_id FROM driver_view WHERE home_region = in_region AND driver_id = p.driver_id AND status = 'available' OFFSET 0) v
  WHERE p.distance_meters <= radius_meters
$$;

-- Grows a circle until it holds enough. Each circle is sized by how many drivers the one before held.
CREATE OR REPLACE FUNCTION nearest_available_drivers(
  in_region text, near_latitude float8, near_longitude float8, radius_meters float8, seen_after timestamptz, drivers_max integer)
RETURNS TABLE (driver_id text, market_id text, latitude float8, longitude float8, heading_degrees float8, observe_time timestamptz, distance_meters float8)
LANGUAGE plpgsql STABLE ROWS 20 AS $$
#variable_conflict use_column
DECLARE
  circle float8 := least(500, radius_meters);
  held integer;
BEGIN
  LOOP
    SELECT count(*) INTO held FROM (SELECT FROM available_drivers_in(in_region, near_latitude, near_longitude, circle, seen_after) LIMIT drivers_max) AS inside;
    EXIT WHEN held >= drivers_max OR circle >= radius_meters;
    circle := least(radius_meters, circle * CASE WHEN held = 0 THEN 4 ELSE least(4, 1.2 * sqrt(drivers_max::float8 / held)) END);
  END LOOP;
  RETURN QUERY
    SELECT * FROM available_drivers_in(in_region, near_latitude, near_longitude, circle, seen_after) ORDER BY distance_meters, driver_id LIMIT drivers_max;
END $$;

-- Inlined where it is called, so that the caller's filters and order choose the index.
CREATE OR REPLACE FUNCTION rides_in_area(in_region text, near_latitude float8, near_longitude float8, radius_meters float8)
RETURNS SETOF ride_view LANGUAGE sql STABLE AS $$
  SELECT v.* FROM circle_stretches(near_latitude, near_longitude, radius_meters) s
  JOIN ride_view v ON v.home_region = in_region AND latitude_band(pickup_latitude(v.ride)) = s.band AND pickup_longitude(v.ride) BETWEEN s.west AND s.east
  WHERE great_circle_meters(pickup_latitude(v.ride), pickup_longitude(v.ride), near_latitude, near_longitude) <= radius_meters
$$;
