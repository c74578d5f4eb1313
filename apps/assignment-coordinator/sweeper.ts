/**
 * Fires the timers of rides that are due, a page at a time, by the database's clock alone.
 *
 * A page locks its rides by id, leaving out what others hold (they will be due again), then their drivers by id, then
 * reads the clock; the domain decides each, and all that it decided is sent at once. Idle,
 * it costs one look at an index a quarter of a second.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { decideRide, type IdSource, type Ride } from "@ridegrid/domain";
import type { Logger, Sql } from "@ridegrid/runtime";
import type { Regions } from "@ridegrid/spatial";
import { type Change, homeRegionsOf, noCause, type RideChange } from "./change.ts";
import { type DriverRow, driverFromRow } from "./driver-row.ts";
import { sweepEveryMs, sweepPageMax } from "./limits.ts";
import { driverColumnList, nowOf, query, readClock, rideColumnList } from "./load-ride.postgres.ts";
import { marketRules } from "./market-rules.ts";
import { rideFromRow, type RideRow } from "./ride-row.ts";
import { runTransaction } from "./transaction.postgres.ts";
import type { Tx } from "./tx.ts";
import { writeChanges } from "./write-changes.postgres.ts";

type SweeperDeps = {
  readonly sql: Sql;
  readonly ids: IdSource;
  readonly regions: Regions;
  readonly logger: Logger;
  readonly onCommit: (homeRegion: string) => void;
};

interface Sweeper {
  start(): void;
  /** Why the last look failed; empty when it did not. */
  failing(): string;
  stop(): Promise<void>;
}

export function createSweeper(deps: SweeperDeps): Sweeper {
  const stopping = new AbortController();
  let work: Promise<void> = Promise.resolve();

  let failure = "";

  async function sweep(): Promise<number> {
    try {
      const fired = await sweepPage(deps);
      failure = "";
      return fired;
    } catch (error) {
      if (failure === "") deps.logger.warn({ error }, "Cannot fire due timers; trying again");
      failure = `due timers cannot be fired: ${String(error)}`;
      return 0;
    }
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const fired = await sweep();
      if (fired < sweepPageMax) await sleep(sweepEveryMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }

  return {
    start() {
      work = run();
    },
    failing: () => failure,
    async stop() {
      stopping.abort();
      await work;
    },
  };
}

/** Answers how many timers it fired. Nothing due: one read, no transaction. */
export async function sweepPage(deps: SweeperDeps): Promise<number> {
  const due = await deps.sql<{ due: boolean }[]>`SELECT EXISTS (SELECT FROM ride WHERE timer_at <= statement_timestamp()) AS due`;
  if (due[0]?.due !== true) return 0;
  const changes = await runTransaction<readonly Change[]>(deps.sql, deps.ids, async (tx, nextId) => {
    const page = await lockDuePage(tx);
    const fired = page.rides.flatMap((ride) => fire(ride, page, deps.regions));
    if (fired.length > 0)
      await writeChanges(
        tx,
        fired.map((change) => ({ change, cause: noCause })),
        nextId,
      );
    return fired;
  });
  for (const region of homeRegionsOf(changes)) deps.onCommit(region);
  return changes.length;
}

type DuePage = { readonly rides: readonly Ride[]; readonly drivers: ReadonlyMap<string, DriverRow>; readonly nowMs: number };

const dueSql = `
  SELECT ${rideColumnList} FROM ride WHERE ride_id IN (
    SELECT ride_id FROM ride WHERE timer_at <= statement_timestamp() ORDER BY timer_at LIMIT ${sweepPageMax}
  ) AND timer_at <= statement_timestamp() ORDER BY ride_id FOR UPDATE SKIP LOCKED`;
const driversSql = `
  SELECT ${driverColumnList} FROM driver WHERE driver_id IN (SELECT jsonb_array_elements_text($1::text::jsonb)) ORDER BY driver_id FOR UPDATE`;

async function lockDuePage(tx: Tx): Promise<DuePage> {
  const rides = (await query<RideRow>(tx, dueSql, [])).map(rideFromRow);
  const driverIds = rides.flatMap((ride) => ride.offer?.driverId ?? []);
  const [drivers, clocks] = await Promise.all([query<DriverRow>(tx, driversSql, [JSON.stringify(driverIds)]), readClock(tx)]);
  return { rides, drivers: new Map(drivers.map((row) => [row.driver_id, row])), nowMs: nowOf(clocks) };
}

function fire(ride: Ride, { drivers, nowMs }: DuePage, regions: Regions): readonly RideChange[] {
  const row = ride.offer === null ? undefined : drivers.get(ride.offer.driverId);
  const decision = decideRide(ride, row === undefined ? null : driverFromRow(row), { type: "FireTimer" }, { nowMs, ...marketRules(regions, ride) });
  if (decision.kind === "refused") return [];
  return [{ kind: "ride", before: ride, event: decision.event, ride: decision.ride, driver: decision.driver }];
}
