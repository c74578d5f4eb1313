-- A trip has no timer: only people end it. One of more than six hours is on the list of stuck rides (I10), and alerted as
-- every violation is.
ALTER VIEW invariant_violations RENAME TO broken_invariants;
CREATE VIEW invariant_violations AS
SELECT invariant, ride_id, driver_id, detail FROM broken_invariants
UNION ALL
SELECT 'I10', ride_id, driver_id, format('ride is stuck: in progress for %s', date_trunc('second', clock_timestamp() - start_time))
FROM ride WHERE status = 'in_progress' AND start_time < now() - interval '6 hours';
