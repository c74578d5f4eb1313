/**
 * The boards of the markets that somebody watches in this process. A board is read from the tables and from memory
 * about once a second while it is watched, however many watch it, and forgotten when the last one leaves.
 */
import { create } from "@bufbuild/protobuf";
import { driverStatusToWire, latLngToWire, rideStatusToWire } from "@ridegrid/contracts";
import { MarketCellSchema, type MarketDriver, MarketDriverSchema, type MarketRide, MarketRideSchema } from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import { type Ride, rideDriver } from "@ridegrid/domain";
import type { ProcessContext } from "@ridegrid/runtime";
import { setTimeout as sleep } from "node:timers/promises";
import type { DriverStore, MarketDriverRow } from "./driver-store.ts";
import type { LastPositions } from "./last-positions.ts";
import { marketDriversMax, marketLoadMax, marketRidesMax, marketTickMs, positionStaleMs } from "./limits.ts";
import { createMarketBoard, type MarketBoard, type MarketFacts } from "./market-board.ts";
import type { MarketCells } from "./market-cells.ts";
import { retryForever } from "./retry-forever.ts";
import type { RideStore } from "./ride-store.ts";
import type { Wakeups } from "./wakeups.ts";

export type MarketFeedsDeps = {
  readonly context: ProcessContext;
  readonly rides: RideStore;
  readonly drivers: DriverStore;
  readonly positions: LastPositions;
  readonly cells: MarketCells;
  readonly wakeups: Wakeups;
};

export type MarketFeed = { readonly board: MarketBoard; leave(): void };

export interface MarketFeeds {
  /** A board that has been read at least once. */
  watch(marketId: string): Promise<MarketFeed>;
}

type Shared = { readonly board: MarketBoard; readonly first: Promise<unknown>; readonly stop: AbortController; watchers: number };

export function createMarketFeeds(deps: MarketFeedsDeps): MarketFeeds {
  const feeds = new Map<string, Shared>();

  function open(marketId: string): Shared {
    const board = createMarketBoard();
    const stop = new AbortController();
    const first = refresh(deps, marketId, board);
    const feed = { board, first, stop, watchers: 0 };
    feeds.set(marketId, feed);
    first.then(() => keepFresh(deps, marketId, board, stop.signal)).catch(() => {});
    return feed;
  }

  return {
    async watch(marketId) {
      const feed = feeds.get(marketId) ?? open(marketId);
      feed.watchers++;
      const leave = (): void => {
        if (--feed.watchers > 0) return;
        feed.stop.abort();
        if (feeds.get(marketId) === feed) feeds.delete(marketId);
      };
      try {
        await feed.first;
      } catch (error) {
        leave();
        throw error;
      }
      return { board: feed.board, leave };
    },
  };
}

/** Resolves when `signal` aborts. */
async function keepFresh(deps: MarketFeedsDeps, marketId: string, board: MarketBoard, signal: AbortSignal): Promise<void> {
  let tookMs = 0;
  const step = async (): Promise<void> => {
    // A market that is slow to read is read less often: watching must not be what loads the database.
    await sleep(Math.max(marketTickMs, tookMs / marketLoadMax), undefined, { signal });
    const beganAtMs = performance.now();
    if (await refresh(deps, marketId, board)) deps.wakeups.wake(`market:${marketId}`);
    tookMs = performance.now() - beganAtMs;
  };
  const onFailure = (error: unknown, attempt: number): void => {
    if (attempt === 1) deps.context.logger.warn({ error, market: marketId }, "cannot read a market that is watched; trying again");
  };
  await retryForever(step, { random: deps.context.random, signal, onFailure });
}

async function refresh(deps: MarketFeedsDeps, marketId: string, board: MarketBoard): Promise<boolean> {
  const [drivers, open] = await Promise.all([
    deps.drivers.onShift(marketId, marketDriversMax + 1),
    deps.rides.search({ statuses: [], marketId, riderId: "", driverId: "", openOnly: true, area: null, limit: marketRidesMax + 1, after: null }),
  ]);
  const shown = new Set(open.map(({ rideId }) => rideId as string));
  const left = board.openRideIds().filter((id) => !shown.has(id));
  const ended = left.length === 0 ? [] : await deps.rides.many(left);
  const nowMs = deps.context.clock.nowMs();
  const facts: MarketFacts = {
    drivers: drivers.slice(0, marketDriversMax).map((row) => marketDriver(row, deps.positions, nowMs)),
    rides: open.slice(0, marketRidesMax).map(marketRide),
    ended: ended.map(marketRide),
    cells: deps.cells
      .of(marketId, nowMs)
      .map(({ cell, supply, demand, surgeMultiplier }) => create(MarketCellSchema, { cell, supply, demand, surgeMultiplier })),
    truncated: drivers.length > marketDriversMax || open.length > marketRidesMax,
  };
  return board.update(facts);
}

function marketDriver({ driverId, status }: MarketDriverRow, positions: LastPositions, nowMs: number): MarketDriver {
  const at = positions.get(driverId);
  const stale = at === undefined || nowMs - at.observedAtMs > positionStaleMs;
  const place = at === undefined ? {} : { location: latLngToWire(at), headingDegrees: at.headingDegrees };
  return create(MarketDriverSchema, { driverId, status: driverStatusToWire(status), stale, ...place });
}

function marketRide(ride: Ride): MarketRide {
  const { rideId, status, pickup, dropoff } = ride;
  return create(MarketRideSchema, {
    rideId,
    status: rideStatusToWire(status),
    pickup: latLngToWire(pickup),
    dropoff: latLngToWire(dropoff),
    driverId: rideDriver(ride) ?? "",
  });
}
