-- I1-I4, I10 and I12 in SQL. Empty on a healthy platform; the gauge, the operators' API and every chaos run read it.
CREATE VIEW invariant_violations (invariant, ride_id, driver_id, detail) AS
SELECT 'I1', NULL::uuid, driver_id, format('driver is on %s active rides', count(*))
FROM ride WHERE status IN ('assigned', 'arrived', 'in_progress') GROUP BY driver_id HAVING count(*) > 1
UNION ALL
SELECT 'I1', ride_id, NULL, format('ride has %s accepted offers', count(*))
FROM offer WHERE status = 'accepted' GROUP BY ride_id HAVING count(*) > 1
UNION ALL
SELECT 'I1', d.ride_id, d.driver_id, format('driver is %s for a ride that is %s with driver %s', d.status, coalesce(r.status, 'unknown'), coalesce(r.driver_id, 'none'))
FROM driver d LEFT JOIN ride r ON r.ride_id = d.ride_id
WHERE d.status IN ('offered', 'en_route', 'on_trip')
  AND (r.driver_id IS DISTINCT FROM d.driver_id OR r.offer_id IS DISTINCT FROM d.offer_id
    OR r.status NOT IN ('offered', 'assigned', 'arrived', 'in_progress') OR (d.status = 'offered') <> (r.status = 'offered') OR (d.status = 'on_trip') <> (r.status = 'in_progress'))
UNION ALL
SELECT 'I1', r.ride_id, r.driver_id, format('ride is %s with a driver who is %s', r.status, coalesce(d.status, 'unknown'))
FROM ride r LEFT JOIN driver d ON d.driver_id = r.driver_id
WHERE r.status IN ('offered', 'assigned', 'arrived', 'in_progress') AND d.ride_id IS DISTINCT FROM r.ride_id
UNION ALL
SELECT 'I2', NULL, driver_id, format('driver holds %s live offers', count(*))
FROM offer WHERE status IN ('pending', 'accepted') GROUP BY driver_id HAVING count(*) > 1
UNION ALL
SELECT 'I2', ride_id, NULL, format('ride has %s live offers', count(*))
FROM offer WHERE status IN ('pending', 'accepted') GROUP BY ride_id HAVING count(*) > 1
UNION ALL
SELECT 'I2', o.ride_id, o.driver_id, format('offer %s is %s and the ride is %s with offer %s', o.offer_id, o.status, r.status, coalesce(r.offer_id::text, 'none'))
FROM offer o JOIN ride r ON r.ride_id = o.ride_id
WHERE o.status IN ('pending', 'accepted') AND (r.offer_id IS DISTINCT FROM o.offer_id OR (o.status = 'pending') <> (r.status = 'offered'))
UNION ALL
SELECT 'I2', r.ride_id, r.driver_id, format('ride is %s and its offer %s is not live', r.status, r.offer_id)
FROM ride r WHERE r.offer_id IS NOT NULL AND NOT EXISTS (SELECT FROM offer o WHERE o.offer_id = r.offer_id AND o.ride_id = r.ride_id AND o.driver_id = r.driver_id AND o.status IN ('pending', 'accepted'))
UNION ALL
SELECT 'I3', ride_id, driver_id, format('offer %s was accepted %s after its expiry', offer_id, accept_time - expire_time)
FROM offer WHERE accept_time >= expire_time
UNION ALL
SELECT 'I3', r.ride_id, r.driver_id, format('ride is %s and was charged a fare', r.status)
FROM ride r WHERE r.status <> 'completed' AND EXISTS (SELECT FROM ledger_entry l WHERE l.ride_id = r.ride_id AND l.kind = 'fare')
UNION ALL
SELECT 'I4', NULL, NULL, format('request %s of %s for %s was applied %s times', request_id, principal, method, count(*))
FROM request GROUP BY principal, method, request_id HAVING count(*) > 1
UNION ALL
SELECT 'I4', NULL, NULL, format('quote %s made %s rides', quote_id, count(*))
FROM ride GROUP BY quote_id HAVING count(*) > 1
UNION ALL
SELECT 'I4', NULL, NULL, format('rider %s has %s open rides', rider_id, count(*))
FROM ride WHERE status IN ('requested', 'offered', 'assigned', 'arrived', 'in_progress') GROUP BY rider_id HAVING count(*) > 1
UNION ALL
SELECT 'I10', ride_id, driver_id, format('ride is %s and has no timer', status)
FROM ride WHERE status IN ('requested', 'offered', 'assigned', 'arrived') AND timer_at IS NULL
UNION ALL
SELECT 'I10', ride_id, driver_id, format('timer %s of the ride is overdue by %s', timer_kind, clock_timestamp() - timer_at)
FROM ride WHERE timer_at < now() - interval '30 seconds'
UNION ALL
SELECT 'I12', ride_id, NULL, format('transfer %s sums to %s %s', transfer_id, sum(amount_minor), currency_code)
FROM ledger_entry GROUP BY transfer_id, ride_id, currency_code HAVING sum(amount_minor) <> 0
UNION ALL
SELECT 'I12', r.ride_id, r.driver_id, format('ride was quoted %s %s and the rider was charged %s', r.fare_minor, r.currency_code, coalesce(charged.amount_minor, 0))
FROM ride r
LEFT JOIN LATERAL (
  SELECT -sum(l.amount_minor) AS amount_minor FROM ledger_entry l
  WHERE l.ride_id = r.ride_id AND l.kind = 'fare' AND l.account = 'rider:' || r.rider_id AND l.currency_code = r.currency_code
) charged ON true
WHERE r.status = 'completed' AND charged.amount_minor IS DISTINCT FROM r.fare_minor
UNION ALL
SELECT 'I12', r.ride_id, r.driver_id, format('the fee of the canceled ride is %s %s and the rider was charged %s', coalesce(r.cancellation_fee_minor, 0), r.currency_code, coalesce(charged.amount_minor, 0))
FROM ride r
LEFT JOIN LATERAL (
  SELECT -sum(l.amount_minor) AS amount_minor FROM ledger_entry l
  WHERE l.ride_id = r.ride_id AND l.kind = 'cancellation_fee' AND l.account = 'rider:' || r.rider_id AND l.currency_code = r.currency_code
) charged ON true
WHERE r.status = 'canceled' AND charged.amount_minor IS DISTINCT FROM r.cancellation_fee_minor;
