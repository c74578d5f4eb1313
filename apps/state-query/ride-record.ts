/**
 * A record of `ride-events.v1`, decoded and checked for what the tables need. Anything else is a deterministic
 * failure: it throws, and its record becomes a dead letter.
 */
import { decodeRideEvent, type Envelope } from "@ridegrid/contracts";
import type { RideEvent } from "@ridegrid/domain";

/** Where a record was read. `outboxId` is 0 where the relay named none. */
export type RecordSource = {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly appendedAtMs: number;
  readonly outboxId: number;
};

export type RideRecord = { readonly event: RideEvent; readonly envelope: Envelope; readonly payload: Uint8Array; readonly source: RecordSource };

/** @throws what is wrong with the bytes. */
export function decodeRideRecord(payload: Uint8Array, source: RecordSource): RideRecord {
  const { event, envelope } = decodeRideEvent(payload);
  if (!uuidPattern.test(event.rideId)) throw new Error(`Cannot fold a ride event: ride id "${event.rideId}" is no UUID`);
  if (!(event.version >= 1)) throw new Error(`Cannot fold ${event.body.type} of ride "${event.rideId}": version ${event.version} is below 1`);
  refuseUnstorable({ event, envelope }, `${event.body.type} of ride "${event.rideId}"`);
  return { event, envelope, payload, source };
}

/** PostgreSQL stores no NUL, and JSON no infinite number: one such record must not stop its whole batch. */
export function refuseUnstorable(value: unknown, what: string): void {
  JSON.stringify(value, (key, item: unknown) => {
    if (typeof item === "string" && item.includes("\0")) throw new Error(`Cannot fold ${what}: "${key}" holds a NUL`);
    if (typeof item === "number" && !Number.isFinite(item)) throw new Error(`Cannot fold ${what}: "${key}" is ${item}`);
    return item;
  });
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** The trace id of a W3C traceparent; empty when untraced. */
export function traceIdOf(traceparent: string): string {
  return /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(traceparent)?.[1] ?? "";
}
