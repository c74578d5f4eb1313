/** The plan against a look at every pair, and the rules of who may be asked. */
import { describe, expect, test } from "bun:test";
import { defaultDispatchPolicy, evolveRide, proposalId } from "@ridegrid/domain";
import fc from "fast-check";
import { candidatesShownMax, pairRestMs, positionFreshMs, projectionSlack, proposalForgetMs } from "./limits.ts";
import { createMarketState, type MarketState } from "./market-state.ts";
import { anOffer, availableDriver, nextEvent, nyc, rideRequested, startMs, timesSquare } from "./matching.fixtures.ts";
import { planTick, type PlannedOffer, type ShownCandidate } from "./plan-tick.ts";
import { createHaversineTravelTime } from "./travel-time.haversine.ts";

const travelTime = createHaversineTravelTime(nyc.travel);

type DriverPlan = { readonly latitude: number; readonly longitude: number; readonly seats: number; readonly ageMs: number; readonly available: boolean };
type RidePlan = { readonly latitude: number; readonly longitude: number; readonly seats: number; readonly blocked: readonly number[] };

function stateOf(drivers: readonly DriverPlan[], rides: readonly RidePlan[], policy = nyc.policy): MarketState {
  const state = createMarketState({ ...nyc, policy }, travelTime);
  drivers.forEach(({ latitude, longitude, seats, ageMs, available }, index) => {
    state.drivers.apply(availableDriver(`d-${index}`, { seats, status: available ? "available" : "on_trip" }));
    state.drivers.place({ driverId: `d-${index}`, latitude, longitude, observedAtMs: startMs - ageMs });
  });
  const open = rides.map(({ blocked, ...at }, index) => ({
    ...evolveRide(null, rideRequested(`ride-${index}`, { pickup: at, seats: at.seats, atMs: startMs - rides.length + index })),
    blockedDrivers: blocked.map((one) => availableDriver(`d-${one}`).driverId),
  }));
  state.rides.replace(open, startMs);
  return state;
}

/** Every feasible pair, fastest first, then the longer waiting ride, then the driver's id: the rule in its plainest form. */
function allPairs(state: MarketState): string[] {
  const { points, projection, drivers } = state.drivers;
  const rides = [...state.rides.rides.values()].sort((a, b) => a.createTimeMs - b.createTimeMs);
  const pairs = rides.flatMap((ride, order) =>
    [...drivers.values()].flatMap((driver) => {
      const slot = points.slotOf(driver.driverId)!;
      const location = projection.toLatLng({ x: points.columns.x[slot]!, y: points.columns.y[slot]! });
      const eta = travelTime.seconds(location, ride.pickup);
      const fresh = startMs - points.columns.observedAtMs[slot]! < positionFreshMs;
      const may = driver.status === "available" && fresh && driver.shift!.vehicle.seats >= ride.seats && !ride.blockedDrivers.includes(driver.driverId);
      return may && eta <= state.market.policy.pickupEtaMaxSeconds ? [{ eta, order, ride: ride.rideId, driver: driver.driverId }] : [];
    }),
  );
  pairs.sort((a, b) => a.eta - b.eta || a.order - b.order || (a.driver < b.driver ? -1 : 1));
  const [rideTaken, driverTaken] = [new Set<string>(), new Set<string>()];
  return pairs.flatMap(({ ride, driver }) => {
    if (rideTaken.has(ride) || driverTaken.has(driver)) return [];
    rideTaken.add(ride);
    driverTaken.add(driver);
    return [`${ride}>${driver}`];
  });
}

/** The nearest of all who were free when the tick began, as an explanation in its plainest form shows them. */
function shownFor({ rideId, driverId }: PlannedOffer, offers: readonly PlannedOffer[], state: MarketState): readonly ShownCandidate[] {
  const { points, projection, drivers } = state.drivers;
  const ride = state.rides.rides.get(rideId)!;
  const asked = new Set(state.proposals.driverIds());
  const { x, y, observedAtMs } = points.columns;
  const from = projection.toLocal(ride.pickup);
  const squared = (slot: number): number => (x[slot]! - from.x) ** 2 + (y[slot]! - from.y) ** 2;
  const radius = travelTime.reachMeters(state.market.policy.pickupEtaMaxSeconds) * projectionSlack;
  const nearest = [...drivers.values()]
    .filter((one) => one.status === "available" && !asked.has(one.driverId))
    .map((one) => ({ ...one, slot: points.slotOf(one.driverId)! }))
    .filter(({ slot }) => startMs - observedAtMs[slot]! < positionFreshMs && squared(slot) <= radius ** 2)
    .sort((a, b) => squared(a.slot) - squared(b.slot) || a.slot - b.slot)
    .slice(0, candidatesShownMax);
  const secondsFrom = (slot: number): number => travelTime.seconds(projection.toLatLng({ x: x[slot]!, y: y[slot]! }), ride.pickup);
  const best = secondsFrom(points.slotOf(driverId)!);
  const shown = nearest.map(({ driverId: other, slot, shift }) => {
    const pickupEtaSeconds = Math.ceil(secondsFrom(slot));
    const reason = (): string => {
      if (other === driverId) return "";
      if (ride.blockedDrivers.includes(other)) return "declined, let expire or lost this ride before";
      if (shift!.vehicle.seats < ride.seats) return `the car has ${shift!.vehicle.seats} seats, ${ride.seats} are asked`;
      if (state.proposals.rests(rideId, other, startMs)) return "was proposed for this ride a moment ago, without effect";
      if (secondsFrom(slot) >= best) return `${pickupEtaSeconds - Math.ceil(best)} s slower than the chosen driver`;
      return `proposed for ride "${offers.find((one) => one.driverId === other)!.rideId}", which the driver reaches sooner`;
    };
    return { driverId: String(other), pickupEtaSeconds, reason: reason() };
  });
  const chosen = { driverId, pickupEtaSeconds: Math.ceil(best), reason: "" };
  return shown.some((one) => one.driverId === driverId) ? shown : [...shown.slice(0, candidatesShownMax - 1), chosen];
}

const inCity = { latitude: fc.double({ min: 40.5, max: 41, noNaN: true }), longitude: fc.double({ min: -74.3, max: -73.6, noNaN: true }) };
const downtown = { latitude: fc.double({ min: 40.74, max: 40.76, noNaN: true }), longitude: fc.double({ min: -74, max: -73.98, noNaN: true }) };
const driver = (place: typeof inCity): fc.Arbitrary<DriverPlan> =>
  fc.record({ ...place, seats: fc.integer({ min: 1, max: 6 }), ageMs: fc.integer({ min: 0, max: positionFreshMs + 4_000 }), available: fc.boolean() });
const ride = (place: typeof inCity): fc.Arbitrary<RidePlan> =>
  fc.record({ ...place, seats: fc.integer({ min: 1, max: 4 }), blocked: fc.array(fc.nat(80), { maxLength: 30, size: "max" }) });
const city = fc
  .constantFrom(inCity, downtown)
  .chain((place) => fc.tuple(fc.array(driver(place), { maxLength: 120, size: "max" }), fc.array(ride(place), { maxLength: 25, size: "max" })));

describe("planTick()", () => {
  test("takes the fastest feasible pair first, exactly as a look at every pair would", () => {
    fc.assert(
      fc.property(city, fc.constantFrom(120, 600, 1_800), ([drivers, rides], pickupEtaMaxSeconds) => {
        const state = stateOf(drivers, rides, { ...defaultDispatchPolicy, pickupEtaMaxSeconds });
        const plan = planTick(state, startMs);
        const pairs = plan.offers.map((offer) => `${offer.rideId}>${offer.driverId}`);
        expect(pairs).toEqual(allPairs(state));
        expect(plan.unmatched).toBe(rides.length - pairs.length);
      }),
      { seed: 20_260_115, numRuns: 300 },
    );
  });

  test("shows the nearest drivers who were free, each with why another was chosen", () => {
    const pairs = fc.array(fc.tuple(fc.nat(25), fc.nat(80)), { maxLength: 40, size: "max" });
    fc.assert(
      fc.property(city, pairs, pairs, ([drivers, rides], resting, asked) => {
        const state = stateOf(drivers, rides);
        const proposed = (all: readonly (readonly [number, number])[], name: string) =>
          all.map(([ride, one]) => ({ rideId: `${name}-${ride}`, rideVersion: 1, driverId: `d-${one}` }));
        state.proposals.sent(proposed(resting, "ride"), startMs - proposalForgetMs);
        state.proposals.forget(startMs);
        state.proposals.sent(proposed(asked, "elsewhere"), startMs);
        const { offers } = planTick(state, startMs);
        for (const offer of offers) expect(offer.candidates).toEqual(shownFor(offer, offers, state));
      }),
      { seed: 20_260_116, numRuns: 200 },
    );
  });

  test("replays to the same plan, candidates and reasons included", () => {
    fc.assert(
      fc.property(city, ([drivers, rides]) => {
        const state = stateOf(drivers, rides);
        const first = planTick(state, startMs);
        expect(planTick(state, startMs)).toEqual(first);
        expect(planTick(stateOf(drivers, rides), startMs)).toEqual(first);
        for (const { candidates, driverId } of first.offers) {
          expect(candidates.length).toBeLessThanOrEqual(candidatesShownMax);
          expect(candidates.filter((one) => one.reason === "").map((one) => one.driverId)).toEqual([driverId]);
        }
      }),
      { seed: 3, numRuns: 60 },
    );
  });

  const near: DriverPlan = { ...timesSquare, seats: 4, ageMs: 1_000, available: true };
  const far: DriverPlan = { latitude: 40.77, longitude: -73.99, seats: 4, ageMs: 1_000, available: true };
  const here: RidePlan = { ...timesSquare, seats: 1, blocked: [] };

  test("says why nearer drivers were passed over", () => {
    const state = stateOf([{ ...near, seats: 1 }, near, far], [{ ...here, seats: 2, blocked: [1] }]);
    const [offer] = planTick(state, startMs).offers;
    expect(offer?.driverId).toBe("d-2");
    expect(offer?.candidates).toEqual([
      { driverId: "d-0", pickupEtaSeconds: expect.any(Number), reason: "the car has 1 seats, 2 are asked" },
      { driverId: "d-1", pickupEtaSeconds: expect.any(Number), reason: "declined, let expire or lost this ride before" },
      { driverId: "d-2", pickupEtaSeconds: offer!.pickupEtaSeconds, reason: "" },
    ]);
  });

  test("leaves a proposed ride and driver alone until the proposal is forgotten, and then that pair for a while", () => {
    const state = stateOf([near, far], [here]);
    const { offers } = planTick(state, startMs);
    expect(offers.map((offer) => offer.driverId)).toEqual(["d-0"]);
    state.proposals.sent(offers, startMs);
    expect(planTick(state, startMs + 1_000).offers).toEqual([]);
    expect(state.proposals.forget(startMs + proposalForgetMs - 1)).toBe(0);
    expect(state.proposals.forget(startMs + proposalForgetMs)).toBe(1);
    expect(planTick(state, startMs + proposalForgetMs).offers.map((offer) => offer.driverId)).toEqual(["d-1"]);
    const laterMs = startMs + proposalForgetMs + pairRestMs;
    for (const driverId of ["d-0", "d-1"]) state.drivers.place({ driverId, ...(driverId === "d-0" ? timesSquare : far), observedAtMs: laterMs });
    expect(planTick(state, laterMs).offers.map((offer) => offer.driverId)).toEqual(["d-0"]);
  });

  test("does not ask a driver whom a ride's events already show with an offer", () => {
    const state = stateOf([near, far], [here]);
    const [open] = state.rides.rides.values();
    const vehicle = { seats: 4, plate: "", model: "" };
    const body = {
      type: "OfferSent",
      offerId: anOffer,
      proposalId: proposalId("p"),
      leaseEpoch: 1,
      pickupEtaSeconds: 1,
      expiresAtMs: startMs + 15_000,
      vehicle,
    } as const;
    state.rides.apply(nextEvent(open!, body, { driverId: "d-0", version: 2 }));
    state.rides.apply(rideRequested("another"));
    expect(planTick(state, startMs).offers.map((offer) => [offer.rideId, offer.driverId])).toEqual([["another", "d-1"]]);
  });

  test("proposes nothing for a ride whose search is over", () => {
    const state = stateOf([near], [here]);
    const [open] = state.rides.rides.values();
    expect(planTick(state, open!.searchDeadlineMs - 1).offers.length + planTick(state, open!.searchDeadlineMs).offers.length).toBe(0);
    state.drivers.place({ driverId: "d-0", ...timesSquare, observedAtMs: open!.searchDeadlineMs - 1 });
    expect(planTick(state, open!.searchDeadlineMs - 1).offers.length).toBe(1);
    expect(planTick(state, open!.searchDeadlineMs).offers.length).toBe(0);
  });

  test("takes a ride from a driver silent for the policy's bound, counted from when all positions are heard", () => {
    const state = stateOf([near], [here]);
    const [open] = state.rides.rides.values();
    const vehicle = { seats: 4, plate: "", model: "" };
    const driver = { driverId: "d-0", version: 2 };
    state.rides.apply(
      nextEvent(
        open!,
        { type: "OfferSent", offerId: anOffer, proposalId: proposalId("p"), leaseEpoch: 1, pickupEtaSeconds: 1, expiresAtMs: startMs + 15_000, vehicle },
        driver,
      ),
    );
    state.rides.apply(
      nextEvent(
        state.rides.rides.get(open!.rideId)!,
        { type: "OfferAccepted", offerId: anOffer, arrivalDeadlineMs: startMs + 900_000 },
        { ...driver, version: 3 },
        startMs,
      ),
    );
    const silentMs = nyc.policy.driverSilentMs;
    expect(planTick(state, startMs + 10 * silentMs).releases).toEqual([]);
    state.hearingSinceMs = startMs + 5_000;
    expect(planTick(state, startMs + 5_000 + silentMs - 1).releases).toEqual([]);
    expect(planTick(state, startMs + 5_000 + silentMs).releases).toEqual([
      { kind: "release", rideId: open!.rideId, rideVersion: 3, driverId: "d-0", silentSeconds: silentMs / 1_000 },
    ]);
    state.drivers.place({ driverId: "d-0", ...timesSquare, observedAtMs: startMs + 6_000 });
    expect(planTick(state, startMs + 6_000 + silentMs - 1).releases).toEqual([]);
  });
});
