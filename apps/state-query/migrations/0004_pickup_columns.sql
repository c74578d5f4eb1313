-- Where a ride's rider waits, as columns that never change. An index on an expression over `ride`, which every event
-- changes, had every event write an entry into each index of the table; now most change the row alone, where its page has room.
DROP INDEX IF EXISTS ride_view_pickup_band;
DROP INDEX IF EXISTS ride_view_pickup_geography;

ALTER TABLE ride_view ADD COLUMN pickup_latitude float8, ADD COLUMN pickup_longitude float8;
ALTER TABLE rebuilt_ride_view ADD COLUMN pickup_latitude float8, ADD COLUMN pickup_longitude float8;
ALTER TABLE snapshot_ride_view ADD COLUMN pickup_latitude float8, ADD COLUMN pickup_longitude float8;
UPDATE ride_view SET pickup_latitude = pickup_latitude(ride), pickup_longitude = pickup_longitude(ride);
UPDATE rebuilt_ride_view SET pickup_latitude = pickup_latitude(ride), pickup_longitude = pickup_longitude(ride);
UPDATE snapshot_ride_view SET pickup_latitude = pickup_latitude(ride), pickup_longitude = pickup_longitude(ride);
ALTER TABLE ride_view ALTER COLUMN pickup_latitude SET NOT NULL, ALTER COLUMN pickup_longitude SET NOT NULL, SET (fillfactor = 60);
ALTER TABLE rebuilt_ride_view ALTER COLUMN pickup_latitude SET NOT NULL, ALTER COLUMN pickup_longitude SET NOT NULL;
ALTER TABLE snapshot_ride_view ALTER COLUMN pickup_latitude SET NOT NULL, ALTER COLUMN pickup_longitude SET NOT NULL;

DROP FUNCTION pickup_latitude(jsonb);
DROP FUNCTION pickup_longitude(jsonb);
