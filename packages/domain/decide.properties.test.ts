/**
 * Whatever commands come in whatever order, a small city of rides and drivers keeps I1 to I4, dense versions, and the
 * fold of its events equal to its state.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { decideGoOffline, decideGoOnline, decideRide, type RideCommand } from "./decide.ts";
import { type Driver, evolveDriver } from "./driver.ts";
import { driverId, type OfferId, offerId, proposalId, rideId, riderId } from "./ids.ts";
import { evolveRide, isOpen, type Ride, type RideEvent } from "./ride.ts";
import { availableDriver, nowMs, policy, quoteOf, tariff } from "./scenario.fixtures.ts";

const ridesMax = 4;
const driversMax = 3;
const runs = 200;
const reached: Record<string, number> = {};

type Step = {
  readonly kind: number;
  readonly ride: number;
  readonly driver: number;
  readonly flag: boolean;
  readonly waitMs: number;
  readonly repeat: boolean;
  /** Says what the ride waits for, instead of something at random. */ readonly willing: boolean;
};

const steps = fc.array(
  fc.record<Step>({
    kind: fc.nat(12),
    ride: fc.nat(ridesMax - 1),
    driver: fc.nat(driversMax - 1),
    flag: fc.boolean(),
    waitMs: fc.oneof({ weight: 12, arbitrary: fc.nat(2_000) }, { weight: 1, arbitrary: fc.nat(1_000_000) }),
    repeat: fc.boolean(),
    willing: fc.boolean(),
  }),
  { minLength: 20, maxLength: 80 },
);

test("decideRide() keeps I1 to I4 and dense versions over random command sequences", () => {
  fc.assert(
    fc.property(steps, (sequence) => {
      const city = createCity();
      for (const step of sequence) city.take(step);
    }),
    { numRuns: runs },
  );
  console.log(`decide: ${runs} random sequences:`, JSON.stringify(reached));
  for (const type of [
    "OfferSent",
    "OfferAccepted",
    "OfferDeclined",
    "OfferExpired",
    "DriverArrived",
    "RideStarted",
    "RideCompleted",
    "AssignmentReleased",
    "RideCanceled",
    "NoDriversFound",
  ]) {
    expect({ type, reached: (reached[type] ?? 0) > 0 }).toEqual({ type, reached: true });
  }
}, 30_000);

function createCity() {
  const rides = new Map<number, Ride>();
  const drivers = new Map<number, Driver>(Array.from({ length: driversMax }, (_, index) => [index, availableDriver(driverId(`d-${index}`))]));
  const log: RideEvent[] = [];
  const acceptedAt = new Map<OfferId, number>();
  const deadlines = new Map<OfferId, number>();
  let now = nowMs;
  let offers = 0;

  function take(step: Step): void {
    now += step.waitMs;
    if (step.kind === 11) return shift(step);
    const ride = rides.get(step.ride) ?? null;
    const command = commandFor(step, ride);
    const events = log.length;
    apply(step.ride, command);
    // I4, as far as the rules alone can promise it: the same command again finds its effect and has none of its own.
    if (step.repeat && log.length > events && command.type !== "RequestRide" && command.type !== "FireTimer") {
      const before = log.length;
      apply(step.ride, command);
      expect({ command: command.type, again: log.length - before }).toEqual({ command: command.type, again: 0 });
    }
    check();
  }

  function shift({ driver: index, flag }: Step): void {
    const driver = drivers.get(index) ?? availableDriver(driverId(`d-${index}`));
    if (driver.shift === null) return;
    const decision = flag ? decideGoOnline(driver, driver.shift, { nowMs: now }) : decideGoOffline(driver, { nowMs: now });
    if (driver.rideId !== null) expect(decision.kind).toBe("refused");
    if (decision.kind === "accepted") drivers.set(index, decision.driver);
  }

  function apply(index: number, command: RideCommand): void {
    const ride = rides.get(index) ?? null;
    const named = ride?.offer?.driverId ?? ("driverId" in command ? command.driverId : undefined);
    const driverIndex = [...drivers.keys()].find((key) => drivers.get(key)?.driverId === named);
    const driver = driverIndex === undefined ? null : (drivers.get(driverIndex) ?? null);
    const decision = decideRide(ride, driver, command, { nowMs: now, policy, tariff });
    if (decision.kind === "refused") return;
    const { event } = decision;
    reached[event.body.type] = (reached[event.body.type] ?? 0) + 1;
    // The decision's states are the fold of its event, and versions are dense.
    expect(decision.ride).toEqual(evolveRide(event.body.type === "RideRequested" ? null : ride, event));
    expect(event.version).toBe(event.body.type === "RideRequested" ? 1 : (ride?.version ?? 0) + 1);
    if (event.body.type === "OfferSent") deadlines.set(event.body.offerId, event.body.expiresAtMs);
    if (event.body.type === "OfferAccepted") acceptedAt.set(event.body.offerId, event.occurredAtMs);
    if (decision.driver !== null && driver !== null && driverIndex !== undefined) {
      expect(decision.driver).toEqual(evolveDriver(driver, event));
      expect(decision.driver.version).toBe(driver.version + 1);
      drivers.set(driverIndex, decision.driver);
    }
    rides.set(index, decision.ride);
    log.push(event);
  }

  function commandFor({ kind: said, willing, ride: index, driver: driverIndex, flag }: Step, ride: Ride | null): RideCommand {
    const driver = flag || willing ? (ride?.offer?.driverId ?? driverId(`d-${driverIndex}`)) : driverId(`d-${driverIndex}`);
    const offer = ride?.offer?.offerId ?? offerId("offer-gone");
    const rider = riderId(`r-${index}`);
    const version = ride?.version ?? 1;
    if (ride === null || (!isOpen(ride.status) && flag)) {
      return {
        type: "RequestRide",
        rideId: rideId(`ride-${index}-${log.length}`),
        riderId: rider,
        quote: { ...quoteOf(rider, 0), expiresAtMs: now + 1 },
        quoteUsed: false,
        riderHasOpenRide: ride !== null && isOpen(ride.status),
      };
    }
    const kind = willing
      ? { requested: 0, offered: 2, assigned: 5, arrived: 6, in_progress: 7, completed: 12, canceled: 12, no_drivers: 12 }[ride.status]
      : said;
    switch (kind) {
      case 0:
      case 1:
        return {
          type: "SendOffer",
          offerId: offerId(`offer-${(offers += 1)}`),
          proposalId: proposalId("p"),
          driverId: driver,
          rideVersion: version,
          leaseEpoch: 1,
          currentEpoch: 1,
          pickupEtaSeconds: 60,
        };
      case 2:
      case 3:
        return { type: "AcceptOffer", driverId: driver, offerId: offer };
      case 4:
        return { type: "DeclineOffer", driverId: driver, offerId: offer, goingOffline: flag };
      case 5:
        return { type: "ArriveAtPickup", driverId: driver, metersFromPickup: 0 };
      case 6:
        return { type: "StartRide", driverId: driver, pinMatches: true, pinFailures: 0 };
      case 7:
        return { type: "CompleteRide", by: { party: "driver", driverId: driver } };
      case 8:
        return { type: "ReleaseRide", driverId: driver, reason: flag ? "no_show" : "other" };
      case 9:
        return { type: "CancelRide", by: { party: "rider", riderId: rider }, reason: "other" };
      case 10:
        return { type: "ReleaseSilentDriver", driverId: driver, rideVersion: version, leaseEpoch: 1, currentEpoch: 1 };
      default:
        return { type: "FireTimer" };
    }
  }

  function check(): void {
    const withDriver = [...rides.values()].filter((ride) => ride.offer !== null);
    // I1 and I2: a driver is on or asked about at most one ride, and both sides say the same.
    expect(new Set(withDriver.map((ride) => ride.offer?.driverId)).size).toBe(withDriver.length);
    for (const driver of drivers.values()) {
      const mine = withDriver.filter((ride) => ride.offer?.driverId === driver.driverId);
      expect(mine.map(({ rideId: id }) => id)).toEqual(driver.rideId === null ? [] : [driver.rideId]);
      const expected = { offered: "offered", assigned: "en_route", arrived: "en_route", in_progress: "on_trip" } as const;
      for (const { status } of mine) expect(driver.status).toBe(expected[status as keyof typeof expected]);
    }
    // I3: nothing is accepted at or after its deadline. I10: whatever waits has a bound.
    for (const [offer, at] of acceptedAt) expect(at).toBeLessThan(deadlines.get(offer) ?? 0);
    for (const ride of rides.values()) expect(ride.timer !== null).toBe(isOpen(ride.status) && ride.status !== "in_progress");
  }

  return { take };
}
