/** Every ride event survives the wire, and so does a whole open ride: what matching folds is what the coordinator wrote. */
import { describe, expect, test } from "bun:test";
import {
  driverId,
  evolveRide,
  marketId,
  money,
  offerId,
  proposalId,
  quoteId,
  regionId,
  type Ride,
  type RideEvent,
  type RideEventBody,
  rideId,
  riderId,
} from "@ridegrid/domain";
import { openRideFromWire, openRideToWire } from "./ride-codec.ts";
import { decodeRideEvent, encodeRideEvent, type Envelope } from "./ride-event-codec.ts";
import { ridePin } from "./ride-pin.ts";

const nowMs = 1_800_000_000_123;
const offer = offerId("0190f3f0-0000-7000-8000-000000000001");
const vehicle = { seats: 4, plate: "RG 1", model: "Ioniq 5" };
const requested: RideEventBody = {
  type: "RideRequested",
  riderId: riderId("r-1"),
  quoteId: quoteId("0190f3f0-0000-7000-8000-000000000002"),
  marketId: marketId("nyc"),
  homeRegion: regionId("ewr"),
  partition: 3,
  pickup: { latitude: 40.7, longitude: -74 },
  dropoff: { latitude: 40.8, longitude: -73.9 },
  seats: 2,
  fare: money("USD", 1_234),
  surge: 1.25,
  tripMeters: 5_000,
  tripSeconds: 700,
  searchDeadlineMs: nowMs + 300_000,
};
const history: readonly RideEventBody[] = [
  requested,
  { type: "OfferSent", offerId: offer, proposalId: proposalId("p-1"), leaseEpoch: 7, pickupEtaSeconds: 120, expiresAtMs: nowMs + 15_000, vehicle },
  { type: "OfferDeclined", offerId: offer, wentOffline: true },
  { type: "OfferSent", offerId: offer, proposalId: proposalId("p-2"), leaseEpoch: 7, pickupEtaSeconds: 90, expiresAtMs: nowMs + 15_000, vehicle },
  { type: "OfferExpired", offerId: offer },
  { type: "OfferSent", offerId: offer, proposalId: proposalId("p-3"), leaseEpoch: 8, pickupEtaSeconds: 60, expiresAtMs: nowMs + 15_000, vehicle },
  { type: "OfferAccepted", offerId: offer, arrivalDeadlineMs: nowMs + 720_000 },
  { type: "DriverArrived", noShowAtMs: nowMs + 1, noShowDeadlineMs: nowMs + 2 },
  { type: "AssignmentReleased", offerId: offer, by: "driver", reason: "vehicle_problem", searchDeadlineMs: nowMs + 9 },
  { type: "OfferSent", offerId: offer, proposalId: proposalId("p-4"), leaseEpoch: 8, pickupEtaSeconds: 60, expiresAtMs: nowMs + 15_000, vehicle },
  { type: "OfferAccepted", offerId: offer, arrivalDeadlineMs: nowMs + 720_000 },
  { type: "DriverArrived", noShowAtMs: nowMs + 1, noShowDeadlineMs: nowMs + 2 },
  { type: "RideStarted" },
  { type: "RideCompleted", by: "operator", note: "the driver's phone broke" },
  { type: "RideCanceled", by: "system", reason: "no_show", fee: money("USD", 500), offerId: offer },
  { type: "NoDriversFound" },
];
const envelope: Envelope = {
  eventId: "e-1",
  occurredAtMs: nowMs,
  homeRegion: "ewr",
  marketId: "nyc",
  partition: 3,
  correlationId: "c-1",
  causationId: "",
  traceparent: "",
};

function event(body: RideEventBody, version: number): RideEvent {
  const concerns = body.type === "RideRequested" || body.type === "NoDriversFound" ? null : driverId(`d-${version}`);
  return {
    rideId: rideId("0190f3f0-0000-7000-8000-000000000003"),
    version,
    driverId: concerns,
    driverVersion: concerns === null ? null : version,
    occurredAtMs: nowMs,
    body,
  };
}

describe("ride event codec", () => {
  for (const [index, body] of history.entries()) {
    test(`${body.type} (${index}) decodes to what was encoded`, () => {
      const given = event(body, index + 1);
      expect(decodeRideEvent(encodeRideEvent(given, envelope))).toEqual({ event: given, envelope });
    });
  }

  test("an event without a known type is refused", () => {
    expect(() => decodeRideEvent(new Uint8Array([]))).toThrow("envelope");
  });
});

describe("open ride codec", () => {
  test("an open ride comes back whole at every version", () => {
    let ride: Ride | null = null;
    for (const [index, body] of history.slice(0, 13).entries()) {
      ride = evolveRide(ride, event(body, index + 1));
      const back = openRideFromWire(openRideToWire(ride));
      // The car of a pending offer is not on the wire.
      const expected: Ride =
        ride.status === "offered" && ride.offer !== null ? { ...ride, offer: { ...ride.offer, vehicle: { seats: 0, plate: "", model: "" } } } : ride;
      expect(back).toEqual(expected);
    }
  });
});

describe("ridePin", () => {
  test("is four digits, the same for the same ride, and differs between secrets", () => {
    expect(ridePin("secret", "ride-1")).toMatch(/^[0-9]{4}$/);
    expect(ridePin("secret", "ride-1")).toBe(ridePin("secret", "ride-1"));
    const pins = new Set(Array.from({ length: 200 }, (_, index) => ridePin("secret", `ride-${index}`)));
    expect(pins.size).toBeGreaterThan(150);
  });
});
