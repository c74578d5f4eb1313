/**
 * A takeover in one transaction: all that is at home in a lost region is at home in its neighbor from the commit on, and
 * the kept outbox of it is published again there, before anything that follows.
 *
 * It locks as everybody does (markets, rides by id, drivers by id), so that what others had begun is either in the
 * replay or waits and is published by the neighbor.
 */
import { create, toBinary } from "@bufbuild/protobuf";
import { DriverEventSchema, RideEventSchema } from "@ridegrid/contracts/gen/event/v1/events_pb";
import { abandonOutbox } from "@ridegrid/eventlog";
import type { Regions } from "@ridegrid/spatial";
import { replayKeptMs, takeOverLockWaitMs, takeOverStatementMs } from "./limits.ts";
import { holdMarkets, readRegionStates, untouched } from "./serving.postgres.ts";
import type { Tx } from "./tx.ts";

export type TakenOver = {
  /** The regions that are served elsewhere now. */
  readonly regions: readonly string[];
  readonly openRides: number;
  readonly drivers: number;
  readonly eventsReplayed: number;
  /** Open rides whose first event is no longer kept: the coordinator knows them, the neighbor's read model does not. */
  readonly withoutHistory: number;
};

const open = "('requested', 'offered', 'assigned', 'arrived', 'in_progress')";

/** A region that serves nothing any more is answered so, and nothing is changed. */
export async function takeOver(tx: Tx, from: string, regions: Regions): Promise<TakenOver> {
  const to = regions.region(from).neighbor;
  // Everything here is about a whole region: a loop over its rows is never the way, whatever the statistics say.
  await tx`
    SELECT set_config('lock_timeout', ${String(takeOverLockWaitMs)}, true), set_config('statement_timeout', ${String(takeOverStatementMs)}, true),
      set_config('enable_nestloop', 'off', true)`;
  const moved = await lockServed(tx, from, regions);
  if (moved.length === 0) return { regions: [], openRides: 0, drivers: 0, eventsReplayed: 0, withoutHistory: 0 };
  await holdMarkets(
    tx,
    moved.flatMap((region) => regions.region(region).markets.map(({ marketId }) => marketId)),
  );
  await tx.unsafe(`SELECT FROM ride WHERE home_region = $1 AND ${movesSql} ORDER BY ride_id FOR UPDATE`, [from, replayKeptMs]);
  const drivers = await tx`SELECT FROM driver WHERE home_region = ${from} ORDER BY driver_id FOR UPDATE`;
  const counts = await countRides(tx, from);
  const eventsReplayed = await replay(tx, from, to);
  await tx.unsafe(`UPDATE ride SET home_region = $3 WHERE home_region = $1 AND ${movesSql}`, [from, replayKeptMs, to]);
  await tx`UPDATE driver SET home_region = ${to} WHERE home_region = ${from}`;
  await tx`UPDATE region_state SET served_by = ${to}, epoch = epoch + 1 WHERE region = ANY(${[...moved]})`;
  await abandonOutbox(tx, from);
  return { regions: moved, ...counts, drivers: drivers.count, eventsReplayed };
}

/** Rides that are told of again: the open ones, and those that ended while their events are kept. */
const movesSql = `(status IN ${open} OR update_time >= clock_timestamp() - $2::float8 * interval '1 ms')`;

/** One takeover at a time; what `region` serves, for itself or for others. */
async function lockServed(tx: Tx, region: string, regions: Regions): Promise<readonly string[]> {
  for (const { id } of regions.all) await tx`INSERT INTO region_state (region, served_by) VALUES (${id}, ${untouched(id).servedBy}) ON CONFLICT DO NOTHING`;
  await tx`SELECT FROM region_state ORDER BY region FOR UPDATE`;
  const known = new Set(regions.all.map(({ id }) => id));
  return (await readRegionStates(tx)).filter((state) => state.servedBy === region && known.has(state.region)).map((state) => state.region);
}

async function countRides(tx: Tx, from: string): Promise<{ readonly openRides: number; readonly withoutHistory: number }> {
  const [row] = await tx.unsafe<{ openRides: number; withoutHistory: number }[]>(
    `WITH begun AS (${begunSql})
     SELECT count(*)::float8 AS "openRides", count(*) FILTER (WHERE begun.key IS NULL)::float8 AS "withoutHistory"
     FROM ride LEFT JOIN begun ON begun.key = ride_id::text WHERE home_region = $1 AND status IN ${open}`,
    [from],
  );
  return row ?? { openRides: 0, withoutHistory: 0 };
}

/** Rides whose first event is kept. */
const begunSql = "SELECT DISTINCT key FROM outbox WHERE home_region = $1 AND topic = 'ride-events.v1' AND headers ->> 'type' = 'RideRequested'";

/**
 * In the order of their ids, which is each ride's and driver's order. A ride is told from its first event or not at
 * all: a model that folds from version 1 would wait for ever for what is gone.
 */
async function replay(tx: Tx, from: string, to: string): Promise<number> {
  const rideHome = toBinary(RideEventSchema, create(RideEventSchema, { envelope: { homeRegion: to } }));
  const driverHome = toBinary(DriverEventSchema, create(DriverEventSchema, { envelope: { homeRegion: to }, driver: { homeRegion: to } }));
  // Appended to a message, a field overrides the one before it: the copies say where they are at home now.
  const rows = await tx.unsafe(
    `WITH told AS (
       SELECT 'ride-events.v1' AS topic, ride_id::text AS key FROM ride JOIN (${begunSql}) begun ON begun.key = ride_id::text
       WHERE home_region = $1 AND ${movesSql}
       UNION ALL SELECT 'driver-events.v1', driver_id FROM driver WHERE home_region = $1
     )
     INSERT INTO outbox (home_region, topic, partition, key, event_id, payload, headers)
     SELECT $3, o.topic, partition, o.key, event_id, payload || CASE o.topic WHEN 'ride-events.v1' THEN $4::bytea ELSE $5::bytea END, headers
     FROM outbox o JOIN told ON told.topic = o.topic AND told.key = o.key
     WHERE home_region = $1 ORDER BY id`,
    [from, replayKeptMs, to, Buffer.from(rideHome), Buffer.from(driverHome)],
  );
  return rows.count;
}
