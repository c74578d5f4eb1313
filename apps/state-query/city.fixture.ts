/** Rides and drivers of a made-up market, one event at a time by the domain's own folds: what the coordinator's relay would append. */
import { type ConcernedOffer, type DriverChange, encodeDriverEvent, encodeRideEvent, type Envelope } from "@ridegrid/contracts";
import {
  type Driver,
  driverId,
  evolveDriver,
  evolveRide,
  evolveShift,
  isOpen,
  type IdSource,
  marketId,
  money,
  newDriver,
  offerId,
  proposalId,
  quoteId,
  type Random,
  regionId,
  type Ride,
  type RideEvent,
  type RideEventBody,
  rideId,
  riderId,
  shiftId,
} from "@ridegrid/domain";
import type { LogRecord } from "@ridegrid/eventlog";

const startMs = 1_800_000_000_000;
const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const vehicle = { seats: 4, plate: "RG 1", model: "Ioniq 5" };

/** One committed change: a record of the ride, of the driver, or of both. */
export type Change = { readonly ride: LogRecord | null; readonly driver: LogRecord | null; readonly event: RideEvent | null };

export interface City {
  goOnline(driver: string): Change;
  request(rider: string): { readonly rideId: string; readonly change: Change };
  /** Applies one event to a ride; `driver` answers or is asked. */
  happen(ride: string, body: RideEventBody, driver?: string): Change;
  /** A sensible next event of a random open ride, or a new ride. */
  step(): Change;
  rides(): readonly Ride[];
  ride(id: string): Ride;
  driver(id: string): Driver;
}

export type CityOptions = { readonly random: Random; readonly ids: IdSource; readonly nowMs?: () => number; readonly homeRegion?: string };

export function createCity({ random, ids, nowMs: clock, homeRegion = "ewr" }: CityOptions): City {
  const rides = new Map<string, Ride>();
  const drivers = new Map<string, Driver>();
  const records = createRecords(ids, homeRegion);
  let ticks = 0;
  const nowMs = (): number => clock?.() ?? startMs + ticks++ * 1_000;

  function goOnline(id: string): Change {
    const before = drivers.get(id) ?? newDriver(driverId(id));
    const occurredAtMs = nowMs();
    const place = { marketId: marketId("nyc"), homeRegion: regionId(homeRegion), partition: 0 };
    const shift = { shiftId: shiftId(ids.uuid()), ...place, vehicle, acceptReassignment: false, startedAtMs: occurredAtMs };
    const driver = evolveShift(before, { type: "ShiftStarted", driverId: before.driverId, version: before.version + 1, occurredAtMs, shift });
    drivers.set(id, driver);
    return { ride: null, driver: records.driver({ driver, cause: "ShiftStarted", ride: null, offer: null }), event: null };
  }

  function apply(id: string, body: RideEventBody, asked: string | null): Change {
    const before = rides.get(id) ?? null;
    const concerned = asked ?? before?.offer?.driverId ?? null;
    const driverBefore = concerned === null ? null : must(drivers.get(concerned), `driver ${concerned}`);
    const driverVersion = driverBefore === null ? null : driverBefore.version + 1;
    const version = (before?.version ?? 0) + 1;
    const event: RideEvent = { rideId: rideId(id), version, driverId: driverBefore?.driverId ?? null, driverVersion, occurredAtMs: nowMs(), body };
    const ride = evolveRide(before, event);
    rides.set(id, ride);
    if (driverBefore === null) return { ride: records.ride(event), driver: null, event };
    const driver = evolveDriver(driverBefore, event);
    drivers.set(driver.driverId, driver);
    return { ride: records.ride(event), driver: records.driver({ driver, cause: body.type, ride, offer: concernedOffer(before, ride, event) }), event };
  }

  function request(rider: string): { readonly rideId: string; readonly change: Change } {
    const id = ids.uuid();
    return { rideId: id, change: apply(id, rideRequested(rider, ids, homeRegion), null) };
  }

  function step(): Change {
    const open = [...rides.values()].filter((ride) => isOpen(ride.status));
    const free = [...drivers.values()].filter((driver) => driver.status === "available");
    if (open.length === 0 || random.next() < 0.15) return request(`r-${rides.size}`).change;
    const ride = pick(open, random);
    const body = nextBody(ride, random, ids, free.length > 0);
    return apply(ride.rideId, body, body.type === "OfferSent" ? pick(free, random).driverId : null);
  }

  return {
    goOnline,
    request,
    happen: (id, body, driver) => apply(id, body, driver ?? null),
    step,
    rides: () => [...rides.values()].toSorted((left, right) => (left.rideId < right.rideId ? -1 : 1)),
    ride: (id) => must(rides.get(id), `ride ${id}`),
    driver: (id) => must(drivers.get(id), `driver ${id}`),
  };
}

/** Changes as the records that the relay appends, with ids of outbox rows that grow. */
function createRecords(ids: IdSource, homeRegion: string) {
  let outboxId = 0;
  const envelope = (occurredAtMs: number): Envelope => {
    const place = { homeRegion, marketId: "nyc", partition: 0 };
    return { eventId: ids.uuid(), occurredAtMs, ...place, correlationId: "c", causationId: "", traceparent };
  };
  const headers = (type: string) => ({ type, "outbox-id": String(++outboxId), traceparent });
  return {
    ride(event: RideEvent): LogRecord {
      return { key: event.rideId, value: encodeRideEvent(event, envelope(event.occurredAtMs)), headers: headers(event.body.type) };
    },
    driver(change: DriverChange): LogRecord {
      const { driver, cause } = change;
      return { key: driver.driverId, value: encodeDriverEvent(change, envelope(driver.updateTimeMs)), headers: headers(cause) };
    },
  };
}

function must<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`The city has no ${what}`);
  return value;
}

function pick<T>(items: readonly T[], random: Random): T {
  return must(items[Math.floor(random.next() * items.length)], "choice");
}

function rideRequested(rider: string, ids: IdSource, homeRegion: string): RideEventBody {
  const place = { marketId: marketId("nyc"), homeRegion: regionId(homeRegion), partition: 0 };
  const trip = { pickup: { latitude: 40.7, longitude: -74 }, dropoff: { latitude: 40.8, longitude: -73.9 }, tripMeters: 5_000, tripSeconds: 700 };
  const facts = { riderId: riderId(rider), quoteId: quoteId(ids.uuid()), seats: 2, fare: money("USD", 1_234), surge: 1.25 };
  return { type: "RideRequested", ...place, ...trip, ...facts, searchDeadlineMs: startMs + 300_000 };
}

export function offerSent(ids: IdSource, expiresAtMs = startMs + 15_000): RideEventBody & { type: "OfferSent" } {
  return { type: "OfferSent", offerId: offerId(ids.uuid()), proposalId: proposalId(ids.uuid()), leaseEpoch: 1, pickupEtaSeconds: 120, expiresAtMs, vehicle };
}

export function offerAccepted(ride: Ride): RideEventBody {
  return { type: "OfferAccepted", offerId: ride.offer?.offerId ?? offerId(""), arrivalDeadlineMs: startMs + 900_000 };
}

function nextBody(ride: Ride, random: Random, ids: IdSource, driversFree: boolean): RideEventBody {
  const offer = ride.offer?.offerId ?? null;
  if (random.next() < 0.05) return { type: "RideCanceled", by: "rider", reason: "other", fee: null, offerId: offer };
  switch (ride.status) {
    case "requested":
      return driversFree ? offerSent(ids) : { type: "NoDriversFound" };
    case "offered":
      if (random.next() < 0.6) return offerAccepted(ride);
      return random.next() < 0.5
        ? { type: "OfferDeclined", offerId: offer ?? offerId(""), wentOffline: false }
        : { type: "OfferExpired", offerId: offer ?? offerId("") };
    case "assigned":
      return { type: "DriverArrived", noShowAtMs: startMs + 1, noShowDeadlineMs: startMs + 2 };
    case "arrived":
      return { type: "RideStarted" };
    default:
      return { type: "RideCompleted", by: "driver", note: "" };
  }
}

function concernedOffer(before: Ride | null, after: Ride, { body }: RideEvent): ConcernedOffer | null {
  const offer = after.offer ?? before?.offer ?? null;
  if (offer === null) return null;
  const { offerId: id } = offer;
  switch (body.type) {
    case "OfferSent":
      return { offerId: id, status: "pending", expiresAtMs: body.expiresAtMs };
    case "OfferDeclined":
      return { offerId: id, status: "declined", expiresAtMs: null };
    case "OfferExpired":
      return { offerId: id, status: "expired", expiresAtMs: null };
    case "AssignmentReleased":
      return { offerId: id, status: "released", expiresAtMs: null };
    case "RideCompleted":
      return { offerId: id, status: "finished", expiresAtMs: null };
    case "RideCanceled":
      return { offerId: id, status: before?.status === "offered" ? "withdrawn" : "finished", expiresAtMs: null };
    default:
      return { offerId: id, status: "accepted", expiresAtMs: null };
  }
}
