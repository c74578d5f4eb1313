/** The fold of snapshot and log: whatever comes twice, late or out of order, the state is as if it had come once. */
import { describe, expect, test } from "bun:test";
import { evolveRide, proposalId, type Ride, type RideEvent } from "@ridegrid/domain";
import fc from "fast-check";
import { heldFlag } from "./driver-book.ts";
import { applySnapshot, createMarketState } from "./market-state.ts";
import { anOffer, availableDriver, nextEvent, nyc, rideRequested, startMs, timesSquare } from "./matching.fixtures.ts";
import { createHaversineTravelTime } from "./travel-time.haversine.ts";

const newState = () => createMarketState(nyc, createHaversineTravelTime(nyc.travel));
const vehicle = { seats: 4, plate: "", model: "" };

/** requested, offered, declined, offered to another, accepted, arrived, started, completed. */
function history(name: string): { readonly events: readonly RideEvent[]; readonly rides: readonly Ride[] } {
  const rides: Ride[] = [];
  const events: RideEvent[] = [];
  const add = (event: RideEvent): void => {
    events.push(event);
    rides.push(evolveRide(rides.at(-1) ?? null, event));
  };
  const next = (body: RideEvent["body"], driverId: string): void => add(nextEvent(rides.at(-1)!, body, { driverId, version: rides.length }));
  const sent = {
    type: "OfferSent",
    offerId: anOffer,
    proposalId: proposalId("p"),
    leaseEpoch: 1,
    pickupEtaSeconds: 60,
    expiresAtMs: startMs + 15_000,
    vehicle,
  } as const;
  add(rideRequested(name));
  next(sent, "d-1");
  next({ type: "OfferDeclined", offerId: anOffer, wentOffline: false }, "d-1");
  next(sent, "d-2");
  next({ type: "OfferAccepted", offerId: anOffer, arrivalDeadlineMs: startMs + 900_000 }, "d-2");
  next({ type: "DriverArrived", noShowAtMs: startMs + 1_000_000, noShowDeadlineMs: startMs + 2_000_000 }, "d-2");
  next({ type: "RideStarted" }, "d-2");
  next({ type: "RideCompleted", by: "driver", note: "" }, "d-2");
  return { events, rides };
}

describe("RideBook", () => {
  test("from any snapshot and start of reading, whatever a relay repeats in order, it ends at the log's end without a gap", () => {
    const { events, rides } = history("ride-1");
    const position = fc.nat(events.length - 1);
    fc.assert(
      fc.property(
        fc.nat(events.length),
        position,
        fc.dictionary(position.map(String), position, { maxKeys: 4 }),
        fc.nat(events.length),
        (snapshotAt, readFrom, rewinds, readTo) => {
          const state = newState();
          const known = rides[snapshotAt - 1];
          applySnapshot(state, {
            rides: known === undefined || known.status === "completed" ? [] : [known],
            drivers: [],
            asOfMs: known?.updateTimeMs ?? startMs - 1,
          });
          // The log is read from no later than the snapshot; a relay that starts again repeats from somewhere before.
          const first = Math.min(readFrom, snapshotAt);
          const delivered = events
            .slice(first, Math.max(readTo, snapshotAt))
            .flatMap((event, index) => [event, ...events.slice(rewinds[first + index] ?? first + index, first + index + 1)]);
          let version = 0;
          for (const event of delivered) {
            expect(state.rides.apply(event)).not.toBe("gap");
            const now = state.rides.rides.get("ride-1")?.version ?? version;
            expect(now).toBeGreaterThanOrEqual(version);
            version = now;
          }
          const last = rides[Math.max(readTo, snapshotAt) - 1];
          expect(state.rides.rides.get("ride-1")).toEqual(last === undefined || last.status === "completed" ? undefined! : last);
        },
      ),
      { seed: 5, numRuns: 500 },
    );
  });

  test("a missing version is a gap, of a known ride and of one it should know", () => {
    const { events } = history("ride-1");
    const state = newState();
    applySnapshot(state, { rides: [], drivers: [], asOfMs: startMs - 1 });
    expect(state.rides.apply(events[1]!)).toBe("gap");
    expect(state.rides.apply(events[0]!)).toBe("applied");
    expect(state.rides.apply(events[2]!)).toBe("gap");
    expect(state.rides.rides.get("ride-1")?.version).toBe(1);
  });

  test("a driver who declined is blocked for the ride", () => {
    const { events } = history("ride-1");
    const state = newState();
    for (const event of events.slice(0, 3)) state.rides.apply(event);
    expect(state.rides.rides.get("ride-1")?.blockedDrivers.map(String)).toEqual(["d-1"]);
  });
});

describe("DriverBook", () => {
  test("keeps the highest version, and the newest observation, in any order of arrival", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([1, 2, 3, 4, 5, 6], { minLength: 1 }), (order) => {
        const { drivers } = newState();
        for (const at of order) {
          drivers.apply(availableDriver("d-1", { version: at, status: at % 2 === 0 ? "offline" : "available" }));
          drivers.place({ driverId: "d-1", latitude: 40.7 + at / 100, longitude: -74, observedAtMs: startMs + at });
        }
        const highest = Math.max(...order);
        const slot = drivers.points.slotOf("d-1")!;
        expect(drivers.drivers.get("d-1")?.version).toBe(highest);
        expect(drivers.points.columns.flags[slot]).toBe(highest % 2);
        expect(drivers.heardAtMs("d-1")).toBe(startMs + highest);
        const { x, y } = drivers.points.columns;
        expect(drivers.projection.toLatLng({ x: x[slot]!, y: y[slot]! }).latitude).toBeCloseTo(40.7 + highest / 100, 5);
      }),
      { seed: 9, numRuns: 100 },
    );
  });

  test("placeAll() does what place() does row by row; columns that differ in length change nothing", () => {
    const row = fc.record({ driver: fc.nat(8), latitude: fc.double({ min: 40, max: 41, noNaN: true }), observedAtMs: fc.integer({ min: 1, max: 40 }) });
    fc.assert(
      fc.property(fc.array(fc.array(row, { maxLength: 20, size: "max" }), { maxLength: 6, size: "max" }), (batches) => {
        const [together, alone] = [newState().drivers, newState().drivers];
        for (const rows of batches) {
          const columns = {
            driverIds: rows.map(({ driver }) => `d-${driver}`),
            latitudes: rows.map(({ latitude }) => latitude),
            longitudes: rows.map(() => -74),
            observeTimesMs: rows.map(({ observedAtMs }) => BigInt(observedAtMs)),
          };
          together.placeAll(columns);
          expect(() => together.placeAll({ ...columns, longitudes: [...columns.longitudes, -75], observeTimesMs: rows.map(() => 99n) })).toThrow(
            "differ in length",
          );
          for (const { driver, ...where } of rows) alone.place({ driverId: `d-${driver}`, longitude: -74, ...where });
        }
        expect(together.points.columns).toEqual(alone.points.columns);
        expect([...together.points.ids()]).toEqual([...alone.points.ids()]);
      }),
      { seed: 10, numRuns: 100 },
    );
  });

  test("a position before the shift counts once the shift begins; a new snapshot keeps positions", () => {
    const { drivers } = newState();
    drivers.place({ driverId: "d-1", ...timesSquare, observedAtMs: startMs });
    drivers.apply(availableDriver("d-1"));
    const slot = drivers.points.slotOf("d-1")!;
    expect(drivers.points.columns.flags[slot]).toBe(1);
    drivers.replace([]);
    expect([drivers.points.columns.flags[slot], drivers.heardAtMs("d-1")]).toEqual([0, startMs]);
  });

  test("a driver whom a ride's offer holds is not free, whichever of their events come first, until the ride ends or moves on", () => {
    const { events } = history("ride-1");
    const held = (state: ReturnType<typeof newState>, driverId: string): boolean =>
      ((state.drivers.points.columns.flags[state.drivers.points.slotOf(driverId) ?? -1] ?? 0) & heldFlag) !== 0;
    fc.assert(
      fc.property(fc.nat(events.length), fc.nat(events.length), fc.boolean(), (before, after, replaced) => {
        const state = newState();
        events.slice(0, Math.min(before, after)).forEach((event) => state.rides.apply(event));
        for (const name of ["d-1", "d-2"]) state.drivers.apply(availableDriver(name));
        events.slice(Math.min(before, after), after).forEach((event) => state.rides.apply(event));
        const { rides } = state.rides;
        if (replaced) applySnapshot(state, { rides: [...rides.values()], drivers: [availableDriver("d-1")], asOfMs: startMs });
        for (const name of ["d-1", "d-2"]) expect(held(state, name)).toBe(rides.get("ride-1")?.offer?.driverId === name);
        for (const status of ["requested", "offered", "assigned", "arrived", "in_progress"] as const)
          expect([...state.rides.inStatus(status).values()]).toEqual([...rides.values()].filter((ride) => ride.status === status));
      }),
      { seed: 6, numRuns: 300 },
    );
  });

  test("sweep() drops drivers long off shift and old positions of nobody, and nobody else", () => {
    const { drivers } = newState();
    drivers.apply(availableDriver("on-shift"));
    drivers.apply(availableDriver("gone", { status: "offline" }));
    for (const driverId of ["on-shift", "gone", "unknown"]) drivers.place({ driverId, ...timesSquare, observedAtMs: startMs });
    drivers.sweep(startMs + 60_000);
    expect([...drivers.points.ids()]).toEqual(["on-shift", "gone", "unknown"]);
    drivers.sweep(startMs + 3_600_000);
    expect([...drivers.points.ids()]).toEqual(["on-shift"]);
    expect([...drivers.drivers.keys()].map(String)).toEqual(["on-shift"]);
  });
});
