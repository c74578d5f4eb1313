/**
 * Where a session starts: ends of the log's partitions first, then the coordinator's open work. In that order what
 * happens in between is read from the log again and dropped by its version; the other way round it would be lost.
 */
import { driverFromWire, msFromTimestamp, openRideFromWire, physicalTopic } from "@ridegrid/contracts";
import type { EventLog } from "@ridegrid/eventlog";
import { asService, type ServiceDirectory } from "@ridegrid/rpc";
import { snapshotTimeoutMs, telemetryRewindMs } from "./limits.ts";
import type { Snapshot } from "./market-state.ts";

export type StartOffsets = { readonly rideEvents: number; readonly driverEvents: number; readonly telemetry: number };
export type SessionStart = { readonly offsets: StartOffsets; readonly snapshot: Snapshot };

export type SnapshotDeps = {
  readonly eventLog: EventLog;
  readonly directory: ServiceDirectory;
  readonly serviceName: string;
  readonly region: string;
  readonly partition: number;
  readonly nowMs: number;
  readonly signal: AbortSignal;
};

/** @throws when the log or the coordinator does not answer. */
export async function takeSnapshot({ eventLog, directory, serviceName, region, partition, nowMs, signal }: SnapshotDeps): Promise<SessionStart> {
  const [rides, drivers, telemetry] = await Promise.all([
    eventLog.bounds(physicalTopic(region, "ride-events.v1"), partition),
    eventLog.bounds(physicalTopic(region, "driver-events.v1"), partition),
    eventLog.offsetAt(physicalTopic(region, "driver-telemetry.v1"), partition, nowMs - telemetryRewindMs),
  ]);
  const work = await directory.coordinator().listOpenWork({ region, partition }, asService(serviceName, { timeoutMs: snapshotTimeoutMs, signal }));
  return {
    offsets: { rideEvents: rides.end, driverEvents: drivers.end, telemetry },
    snapshot: {
      rides: work.rides.map(openRideFromWire),
      drivers: work.drivers.map((driver) => driverFromWire(driver, partition)),
      asOfMs: msFromTimestamp(work.asOf) ?? 0,
    },
  };
}
