/** What the city checks while it runs: versions in order, one truth about a ride, nothing accepted after a refusal. */
import { describe, expect, test } from "bun:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Party, RideSchema, RideStatus, type Ride } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import { createRideLedger, type RideLedger } from "./ride-ledger.ts";
import { differs } from "./settlement.ts";
import { createVersionCheck, createWitness, type Witness } from "./witness.ts";

function ledger(): { readonly ledger: RideLedger; readonly witness: Witness } {
  const witness = createWitness();
  return { ledger: createRideLedger(witness, { ridesMax: 100 }), witness };
}

type Changes = Exclude<MessageInitShape<typeof RideSchema>, Ride>;

function ride(changes: Changes): Ride {
  return create(RideSchema, { rideId: "r-1", riderId: "rider-1", version: 3n, status: RideStatus.ASSIGNED, driverId: "d-1", offerId: "o-1", ...changes });
}

describe("createRideLedger()", () => {
  test("reports one version of a ride that was told with two drivers", () => {
    const { ledger: rides, witness } = ledger();
    rides.told(ride({}), "driver");
    rides.told(ride({ pin: "1234" }), "rider");
    expect(witness.count).toBe(0);
    rides.told(ride({ driverId: "d-2" }), "driver");
    expect(witness.violations[0]?.invariant).toBe("I1");
  });

  test("reports an assignment by an offer that was refused before", () => {
    const { ledger: rides, witness } = ledger();
    rides.offerEnded("r-1", "o-1");
    rides.told(ride({}), "rider");
    expect(witness.violations[0]?.invariant).toBe("I3");
  });

  test("hands the PIN from the rider to the driver who waits for it, and reports a platform that tells it to drivers", async () => {
    const { ledger: rides, witness } = ledger();
    const waiting = rides.pin("r-1", 5_000, new AbortController().signal);
    rides.told(ride({ pin: "0042" }), "rider");
    expect(await waiting).toBe("0042");
    expect(await rides.pin("r-2", 1, new AbortController().signal)).toBeNull();
    rides.told(ride({ pin: "0042" }), "driver");
    expect(witness.violations[0]?.invariant).toBe("I13");
  });

  test("forgets the oldest rides beyond its bound", () => {
    const rides = createRideLedger(createWitness(), { ridesMax: 2 });
    for (const rideId of ["r-1", "r-2", "r-3"]) rides.opened(ride({ rideId }));
    expect([...rides.records()].map(({ rideId }) => rideId)).toEqual(["r-2", "r-3"]);
  });
});

describe("createVersionCheck()", () => {
  function told(versions: readonly (readonly [number, boolean])[], repeats: boolean): readonly string[] {
    const witness = createWitness();
    const check = createVersionCheck(witness, "the ride", { repeats });
    for (const [version, reset] of versions) check(version, reset);
    return witness.violations.map(({ detail }) => detail);
  }

  test("accepts dense versions, a start anywhere and a jump that is marked", () => {
    expect(
      told(
        [
          [4, false],
          [5, false],
          [9, true],
          [10, false],
        ],
        false,
      ),
    ).toEqual([]);
    expect(
      told(
        [
          [4, false],
          [4, false],
          [5, false],
        ],
        true,
      ),
    ).toEqual([]);
  });

  test("reports gaps, repeats and going back", () => {
    expect(
      told(
        [
          [1, false],
          [3, false],
        ],
        false,
      ),
    ).toEqual(["the ride skipped from version 1 to 3"]);
    expect(
      told(
        [
          [2, false],
          [2, false],
        ],
        false,
      ),
    ).toEqual(["the ride told version 2 twice"]);
    expect(
      told(
        [
          [3, false],
          [2, true],
        ],
        true,
      ),
    ).toEqual(["the ride went back from version 3 to 2"]);
  });
});

describe("differs()", () => {
  const ours = (changes: Changes, completedBy: string | null = null): Parameters<typeof differs>[0] => ({ rideId: "r-1", latest: ride(changes), completedBy });

  test("is null for the same end, and for an open ride that went on", () => {
    const completed = { status: RideStatus.COMPLETED, version: 6n };
    expect(differs(ours(completed, "d-1"), ride(completed))).toBeNull();
    expect(differs(ours({}), ride({ version: 5n, status: RideStatus.IN_PROGRESS }))).toBeNull();
  });

  test("tells a lost ride, an older version, another end and a completion that was not kept", () => {
    expect(differs(ours({}), undefined)).toContain("does not know it");
    expect(differs(ours({ version: 4n }), ride({}))).toContain("the platform says ASSIGNED at version 3");
    const canceled = { status: RideStatus.CANCELED, version: 4n };
    expect(differs(ours({ ...canceled, canceledBy: Party.RIDER }), ride({ ...canceled, canceledBy: Party.SYSTEM }))).toContain("CANCELED by SYSTEM");
    expect(differs(ours({}, "d-1"), ride({ version: 7n, status: RideStatus.CANCELED, canceledBy: Party.OPERATOR }))).toContain(
      'driver "d-1" was acknowledged the end',
    );
  });
});
