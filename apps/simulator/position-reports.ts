/**
 * Reports where drivers are: a wheel that turns once in two seconds and asks one group of drivers at a time, and a
 * bound on reports without an answer. A report that fails is not repeated; the next one is newer.
 */
import { PositionRejection } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { failureOf } from "./failure.ts";
import type { Identity } from "./identity.ts";
import { positionIntervalMs, positionsInFlightMax, positionSlots, positionTimeoutMs, vehicleSpeedMps } from "./limits.ts";
import type { Place } from "./movement.ts";
import { count } from "./tally.ts";
import type { World } from "./world.ts";

export interface Reporter {
  readonly identity: Identity;
  /** Where the driver is now. */
  place(): Place;
}

export type ReportHandle = { readonly reportNow: () => void; readonly remove: () => void };

export interface PositionReports {
  /** The driver reports from now on, every two seconds. */
  add(reporter: Reporter): ReportHandle;
  close(): void;
}

type Entry = { readonly reporter: Reporter; sequence: bigint; inFlight: boolean };

export function createPositionReports(world: Pick<World, "gateway" | "clock" | "tally" | "signal">): PositionReports {
  const slots: Entry[][] = Array.from({ length: positionSlots }, () => []);
  let inFlight = 0;
  let added = 0;
  let slot = 0;

  function report(entry: Entry): void {
    if (inFlight >= positionsInFlightMax) return;
    inFlight++;
    entry.inFlight = true;
    void send(world, entry).finally(() => {
      inFlight--;
      entry.inFlight = false;
    });
  }

  const wheel = setInterval(() => {
    slot = (slot + 1) % positionSlots;
    for (const entry of slots[slot] ?? []) if (!entry.inFlight) report(entry);
  }, positionIntervalMs / positionSlots);

  return {
    add(reporter) {
      const entry: Entry = { reporter, sequence: 0n, inFlight: false };
      const group = slots[added++ % positionSlots];
      group?.push(entry);
      return {
        reportNow: () => report(entry),
        remove: () => void group?.splice(group.indexOf(entry) >>> 0, 1),
      };
    },
    close: () => clearInterval(wheel),
  };
}

async function send({ gateway, clock, tally, signal }: Pick<World, "gateway" | "clock" | "tally" | "signal">, entry: Entry): Promise<void> {
  const { identity } = entry.reporter;
  try {
    const headers = await identity.headers();
    const place = entry.reporter.place();
    const nowMs = clock.nowMs();
    const observeTime = { seconds: BigInt(Math.floor(nowMs / 1_000)), nanos: Math.floor(nowMs % 1_000) * 1_000_000 };
    // The car's own speed: a speedup moves the city's clock, not its speed limit.
    const speedMps = place.moving ? vehicleSpeedMps : 0;
    entry.sequence++;
    tally.positionsReported++;
    const position = { sequence: entry.sequence, location: place.location, headingDegrees: place.headingDegrees, speedMps, accuracyM: 8, observeTime };
    const { rejected } = await gateway.driver.reportPositions({ positions: [position] }, { headers, timeoutMs: positionTimeoutMs, signal });
    if (rejected.length === 0) tally.positionsAcked++;
    for (const { reason } of rejected) count(tally.positionsRejected, PositionRejection[reason]);
  } catch (error) {
    if (signal.aborted) return;
    const failure = failureOf(error);
    if (failure.kind === "token") identity.renew();
    count(tally.failures, `POSITION_${failure.reason}`);
  }
}
