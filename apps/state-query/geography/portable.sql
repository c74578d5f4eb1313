-- Searches by place on any Postgres, without an extension: the Earth is cut into bands of latitude 1/200 of a degree
-- (556 m) high, and a circle is a few stretches of a few bands, each one range of a B-tree. The distance decides.

DROP INDEX IF EXISTS driver_position_geography;
DROP INDEX IF EXISTS ride_view_pickup_geography;

CREATE OR REPLACE FUNCTION latitude_band(latitude float8) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN floor(latitude * 200)::integer;

CREATE INDEX IF NOT EXISTS driver_position_band ON driver_position (home_region, latitude_band(latitude), longitude);
CREATE INDEX IF NOT EXISTS ride_view_pickup_band ON ride_view (home_region, latitude_band(pickup_latitude), pickup_longitude);

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

-- Grows a circle until it holds enough. Each circle is sized by how many drivers the one before held. OFFSET 0 keeps the
-- planner from looking at all drivers first, as it does where it knows nothing of the tables yet.
CREATE OR REPLACE FUNCTION nearest_available_drivers(
  in_region text, near_latitude float8, near_longitude float8, radius_meters float8, seen_after timestamptz, drivers_max integer)
RETURNS TABLE (driver_id text, market_id text, latitude float8, longitude float8, heading_degrees float8, observe_time timestamptz, distance_meters float8)
LANGUAGE plpgsql STABLE ROWS 20 AS $$
#variable_conflict use_column
DECLARE
  circle float8 := least(500, radius_meters);
  found driver_position[];
BEGIN
  LOOP
    found := ARRAY(
      SELECT near.place
      FROM circle_stretches(near_latitude, near_longitude, circle) s
      CROSS JOIN LATERAL (
        SELECT p AS place, p.driver_id, great_circle_meters(p.latitude, p.longitude, near_latitude, near_longitude) AS meters
        FROM driver_position p
        WHERE p.home_region = in_region AND latitude_band(p.latitude) = s.band AND p.longitude BETWEEN s.west AND s.east AND p.observe_time >= seen_after
        OFFSET 0) near
      WHERE near.meters <= circle
        AND (SELECT v.status = 'available' FROM driver_view v WHERE v.home_region = in_region AND v.driver_id = near.driver_id)
      ORDER BY near.meters, near.driver_id LIMIT drivers_max);
    EXIT WHEN cardinality(found) >= drivers_max OR circle >= radius_meters;
    circle := least(radius_meters, circle * CASE cardinality(found) WHEN 0 THEN 4 ELSE least(4, 1.2 * sqrt(drivers_max::float8 / cardinality(found))) END);
  END LOOP;
  RETURN QUERY
    SELECT p.driver_id, v.market_id, p.latitude, p.longitude, p.heading_degrees, p.observe_time,
           great_circle_meters(p.latitude, p.longitude, near_latitude, near_longitude)
    FROM unnest(found) WITH ORDINALITY p JOIN driver_view v ON v.home_region = in_region AND v.driver_id = p.driver_id
    ORDER BY p.ordinality;
END $$;

-- Inlined where it is called, so that the caller's filters and order choose the index.
CREATE OR REPLACE FUNCTION rides_in_area(in_region text, near_latitude float8, near_longitude float8, radius_meters float8)
RETURNS SETOF ride_view LANGUAGE sql STABLE AS $$
  SELECT v.* FROM circle_stretches(near_latitude, near_longitude, radius_meters) s
  JOIN ride_view v ON v.home_region = in_region AND latitude_band(v.pickup_latitude) = s.band AND v.pickup_longitude BETWEEN s.west AND s.east
  WHERE great_circle_meters(v.pickup_latitude, v.pickup_longitude, near_latitude, near_longitude) <= radius_meters
$$;
