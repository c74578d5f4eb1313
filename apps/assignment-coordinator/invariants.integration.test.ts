/** What the tables themselves refuse, and what the view finds once a guard is taken away and its violation planted. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, setDefaultTimeout } from "bun:test";
import { createWorld, deliver, seedDrivers, seedRides, uuid, type World } from "./coordinator.fixtures.ts";
import { readViolations } from "./read-violations.postgres.ts";
import type { Tx } from "./tx.ts";

setDefaultTimeout(60_000);

let world: World;
let rides: readonly string[] = [];
let drivers: readonly string[] = [];
let planted = 0;

beforeAll(async () => {
  world = await createWorld({ running: false });
  await world.setMatchingEpoch("ewr", 1);
});
afterAll(async () => {
  console.log(`invariant_violations: ${planted} planted violations found`);
  await world.close();
});
beforeEach(async () => {
  rides = (await seedRides(world, 3)).map(({ rideId }) => rideId);
  drivers = await seedDrivers(world, 3);
  await deliver(
    world,
    [0, 1].map((index) => ({ rideId: rides[index] ?? "", rideVersion: 1, epoch: 1, driverId: drivers[index] ?? "" })),
  );
  expect(await readViolations(world.sql)).toEqual([]);
});
afterEach(async () => {
  expect(await readViolations(world.sql)).toEqual([]);
});

class RollBack extends Error {}

/** Plants in a transaction, reads the view in it, and takes everything back, dropped indexes included. */
async function foundAfter(plant: (tx: Tx) => Promise<unknown>): Promise<readonly string[]> {
  let found: readonly string[] = [];
  const rolledBack = world.sql.begin(async (tx) => {
    await plant(tx);
    found = (await readViolations(tx)).map(({ invariant }) => invariant);
    throw new RollBack();
  });
  await rolledBack.catch((error: unknown) => {
    if (!(error instanceof RollBack)) throw error;
  });
  planted += found.length > 0 ? 1 : 0;
  return [...new Set(found)].toSorted();
}

/** The guard refuses the row that the view would find. */
async function refusal(plant: (tx: Tx) => Promise<unknown>): Promise<string> {
  return await world.sql.begin(plant).then(
    () => "accepted",
    (error: { constraint_name?: string; code?: string }) => error.constraint_name ?? error.code ?? "",
  );
}

const secondOffer = (of: { ride: () => string | undefined; driver: () => string | undefined }) => (tx: Tx) => tx`
  INSERT INTO offer (offer_id, ride_id, driver_id, attempt, status, expire_time, proposal_id, lease_epoch, pickup_eta_seconds, create_time)
  VALUES (${uuid()}, ${of.ride() ?? ""}, ${of.driver() ?? ""}, 1, 'pending', now(), ${uuid()}, 1, 1, now())`;

const forBusyDriver = secondOffer({ ride: () => rides[2], driver: () => drivers[0] });
const forOfferedRide = secondOffer({ ride: () => rides[0], driver: () => drivers[2] });
const transfer =
  (amounts: readonly number[], ride: () => string | undefined, kind = "fare") =>
  async (tx: Tx) => {
    const id = uuid();
    for (const [line, amount] of amounts.entries()) {
      await tx`INSERT INTO ledger_entry (transfer_id, line, account, currency_code, amount_minor, kind, ride_id, create_time) VALUES (${id}, ${line}, ${`account-${line}`}, 'USD', ${amount}, ${kind}, ${ride() ?? ""}, now())`;
    }
  };

test("the tables refuse a second live offer, a quote used twice, a second open ride, a request id twice", async () => {
  expect(await refusal(forBusyDriver)).toBe("offer_one_live_per_driver");
  expect(await refusal(forOfferedRide)).toBe("offer_one_live_per_ride");
  expect(
    await refusal((tx) => tx`UPDATE ride SET quote_id = (SELECT quote_id FROM ride WHERE ride_id = ${rides[1] ?? ""}) WHERE ride_id = ${rides[0] ?? ""}`),
  ).toBe("ride_quote_once");
  expect(
    await refusal((tx) => tx`UPDATE ride SET rider_id = (SELECT rider_id FROM ride WHERE ride_id = ${rides[1] ?? ""}) WHERE ride_id = ${rides[0] ?? ""}`),
  ).toBe("ride_one_open_per_rider");
  const request = (tx: Tx) =>
    tx`INSERT INTO request (principal, method, request_id, fingerprint, answer) SELECT 'p', 'M', '0190f3f0-0000-7000-8000-000000000001', '', '' FROM generate_series(1, 2)`;
  expect(await refusal(request)).toBe("request_once");
});

test("a transfer that does not sum to zero cannot commit, whatever changes it", async () => {
  expect(await refusal(transfer([-100, 80, 19], () => rides[0]))).toBe("ledger_transfer_balances");
  expect(await refusal(transfer([-100, 80, 20], () => rides[0], "waiver"))).toBe("accepted");
  expect(await refusal((tx) => tx`UPDATE ledger_entry SET amount_minor = amount_minor + 1 WHERE line = 0`)).toBe("ledger_transfer_balances");
  expect(await refusal((tx) => tx`DELETE FROM ledger_entry WHERE line = 0`)).toBe("ledger_transfer_balances");
  expect(await refusal((tx) => tx`UPDATE ledger_entry SET currency_code = 'GBP' WHERE line = 0`)).toBe("ledger_transfer_balances");
  expect(await refusal((tx) => tx`DELETE FROM ledger_entry`)).toBe("accepted");
});

test("I1: a driver on two active rides, a ride whose driver does not know it", async () => {
  const twoRides = (tx: Tx) => tx`UPDATE ride SET status = 'assigned', driver_id = ${drivers[0] ?? ""} WHERE ride_id IN (${rides[0] ?? ""}, ${rides[1] ?? ""})`;
  expect(await foundAfter(twoRides)).toContain("I1");
  expect(await foundAfter((tx) => tx`UPDATE driver SET status = 'available', ride_id = NULL, offer_id = NULL WHERE driver_id = ${drivers[0] ?? ""}`)).toContain(
    "I1",
  );
});

test("I2: two live offers of one driver, two of one ride, with the unique indexes gone", async () => {
  expect(
    await foundAfter(async (tx) => {
      await tx`DROP INDEX offer_one_live_per_driver`;
      await forBusyDriver(tx);
    }),
  ).toContain("I2");
  expect(
    await foundAfter(async (tx) => {
      await tx`DROP INDEX offer_one_live_per_ride`;
      await forOfferedRide(tx);
    }),
  ).toContain("I2");
});

test("I3: an offer accepted at its expiry, a fare charged for a ride that was not completed", async () => {
  expect(await foundAfter((tx) => tx`UPDATE offer SET status = 'accepted', accept_time = expire_time WHERE ride_id = ${rides[0] ?? ""}`)).toContain("I3");
  expect(await foundAfter(transfer([-100, 100], () => rides[0]))).toContain("I3");
});

test("I4: a request, a quote and a rider's open ride applied twice, with their keys gone", async () => {
  const request = async (tx: Tx) => {
    await tx`ALTER TABLE request DROP CONSTRAINT request_once`;
    await tx`INSERT INTO request (principal, method, request_id, fingerprint, answer) SELECT 'p', 'M', '0190f3f0-0000-7000-8000-000000000001', '', '' FROM generate_series(1, 2)`;
  };
  const quote = async (tx: Tx) => {
    await tx`ALTER TABLE ride DROP CONSTRAINT ride_quote_once`;
    await tx`UPDATE ride SET quote_id = (SELECT quote_id FROM ride WHERE ride_id = ${rides[1] ?? ""}) WHERE ride_id = ${rides[0] ?? ""}`;
  };
  const rider = async (tx: Tx) => {
    await tx`DROP INDEX ride_one_open_per_rider`;
    await tx`UPDATE ride SET rider_id = (SELECT rider_id FROM ride WHERE ride_id = ${rides[1] ?? ""}) WHERE ride_id = ${rides[0] ?? ""}`;
  };
  for (const plant of [request, quote, rider]) expect(await foundAfter(plant)).toEqual(["I4"]);
});

test("I10: an open ride without a timer, and one whose timer nobody fires", async () => {
  expect(await foundAfter((tx) => tx`UPDATE ride SET timer_at = NULL, timer_kind = NULL WHERE ride_id = ${rides[2] ?? ""}`)).toEqual(["I10"]);
  expect(await foundAfter((tx) => tx`UPDATE ride SET timer_at = now() - interval '31 seconds' WHERE ride_id = ${rides[2] ?? ""}`)).toEqual(["I10"]);
});

test("I10: a trip of more than six hours is on the list of stuck rides, a shorter one is not", async () => {
  const trip = (hours: number) => async (tx: Tx) => {
    const ride = rides[0] ?? "";
    await tx`UPDATE ride SET status = 'in_progress', start_time = now() - ${hours} * interval '1 hour', timer_at = NULL, timer_kind = NULL WHERE ride_id = ${ride}`;
    await tx`UPDATE offer SET status = 'accepted' WHERE ride_id = ${ride}`;
    await tx`UPDATE driver SET status = 'on_trip' WHERE ride_id = ${ride}`;
  };
  expect(await foundAfter(trip(6.01))).toEqual(["I10"]);
  expect(await foundAfter(trip(5.99))).toEqual([]);
});

test("I12: a transfer out of balance, a price that is not the quote's, a fee that nobody was charged", async () => {
  expect(await foundAfter(transfer([-100, 99], () => rides[2], "waiver"))).toEqual(["I12"]);
  const end = (tx: Tx, status: string, fee: number | null) => tx`
    UPDATE ride SET status = ${status}, timer_at = NULL, timer_kind = NULL, driver_id = 'd-past', cancellation_fee_minor = ${fee} WHERE ride_id = ${rides[2] ?? ""}`;
  expect(await foundAfter((tx) => end(tx, "completed", null))).toEqual(["I12"]);
  expect(await foundAfter((tx) => end(tx, "canceled", 500))).toEqual(["I12"]);
  expect(await foundAfter((tx) => end(tx, "canceled", null))).toEqual([]);
});
