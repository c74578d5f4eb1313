/** Equal rides have equal hashes, and any difference in any field is one of the hash. */
import { expect, test } from "bun:test";
import type { Ride } from "@ridegrid/domain";
import { createSeededRandom, createSequentialIds } from "@ridegrid/testing";
import { createCity, offerAccepted, offerSent } from "./city.fixture.ts";
import { hashRides } from "./hash-rides.ts";

async function* page(ride: object) {
  yield [ride as Ride];
}

test("hashRides() differs when a field does, and not with the order of fields", async () => {
  const ids = createSequentialIds(5);
  const city = createCity({ random: createSeededRandom(5), ids });
  city.goOnline("d-1");
  const { rideId } = city.request("r-1");
  city.happen(rideId, offerSent(ids), "d-1");
  city.happen(rideId, offerAccepted(city.ride(rideId)));
  const ride = city.ride(rideId);
  const hash = await hashRides(page(ride));
  expect(await hashRides(page(Object.fromEntries(Object.entries(ride).toReversed())))).toBe(hash);
  for (const field of Object.keys(ride)) expect({ field, hash: await hashRides(page({ ...ride, [field]: "other" })) }).not.toEqual({ field, hash });
  expect(await hashRides(page({ ...ride, pickup: { ...ride.pickup, latitude: ride.pickup.latitude + 1e-9 } }))).not.toBe(hash);
});
