/** A record of `driver-events.v1`, decoded and checked for what the tables need; anything else throws and becomes a dead letter. */
import { decodeDriverEvent, driverStatusFromWire, envelopeFromWire } from "@ridegrid/contracts";
import type { DriverStatus } from "@ridegrid/domain";
import { refuseUnstorable } from "./ride-record.ts";

export type DriverRecord = {
  readonly driverId: string;
  readonly version: number;
  readonly status: DriverStatus;
  readonly marketId: string;
  readonly occurredAtMs: number;
  readonly partition: number;
  readonly offset: number;
  readonly payload: Uint8Array;
};

/** @throws what is wrong with the bytes. */
export function decodeDriverRecord(payload: Uint8Array, source: { readonly partition: number; readonly offset: number }): DriverRecord {
  const { driver, envelope: wireEnvelope } = decodeDriverEvent(payload);
  const envelope = envelopeFromWire(wireEnvelope);
  const version = Number(driver.version);
  if (driver.driverId === "") throw new Error("Cannot fold a driver event: it names no driver");
  if (!(version >= 1)) throw new Error(`Cannot fold an event of driver "${driver.driverId}": version ${version} is below 1`);
  const { partition, offset } = source;
  const record = {
    driverId: driver.driverId,
    version,
    status: driverStatusFromWire(driver.status),
    marketId: envelope.marketId,
    occurredAtMs: envelope.occurredAtMs,
    partition,
    offset,
  };
  refuseUnstorable(record, `an event of driver "${driver.driverId}"`);
  return { ...record, payload };
}
