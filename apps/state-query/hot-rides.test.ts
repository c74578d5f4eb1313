/** What the cache says of a hot ride is believed only when it is that ride at that version. */
import { expect, test } from "bun:test";
import { createManualClock, createSeededRandom, createSequentialIds } from "@ridegrid/testing";
import { createCity } from "./city.fixture.ts";
import { createHotRides } from "./hot-rides.ts";
import { createMemoryReadCache } from "./read-cache.memory.ts";

test("a value of another version, or that is no ride, is a miss", async () => {
  const cache = createMemoryReadCache({ clock: createManualClock(0), keysMax: 10 });
  const hot = createHotRides({ cache, region: "ewr" });
  const city = createCity({ random: createSeededRandom(1), ids: createSequentialIds(1) });
  const { rideId } = city.request("r-1");
  const ride = city.ride(rideId);
  const put = (version: number, value: string) => cache.put(`ewr:ride:${rideId}`, { version, value }, 1_000);
  await put(1, JSON.stringify({ ride, asOfMs: 5 }));
  expect(await hot.get(rideId, 0)).toMatchObject({ ride: { version: 1 }, asOfMs: 5 });
  expect(await hot.get(rideId, 2)).toBeNull();
  await put(2, JSON.stringify({ ride, asOfMs: 5 }));
  expect(await hot.get(rideId, 0)).toBeNull();
  for (const [index, value] of ["", "null", "{}", JSON.stringify({ ride })].entries()) {
    await put(3 + index, value);
    expect(await hot.get(rideId, 0)).toBeNull();
  }
});
