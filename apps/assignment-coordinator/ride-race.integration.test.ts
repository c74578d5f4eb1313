/** Accept, cancel, expire, arrive, start and complete raced against each other: one winner for each version. The soak races 1,000 rides. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { createWorld, deadlocks, type World } from "./coordinator.fixtures.ts";
import { readViolations } from "./read-violations.postgres.ts";
import { raceRides } from "./ride-race.fixture.ts";

setDefaultTimeout(120_000);

let world: World;
beforeAll(async () => {
  world = await createWorld({ running: false, poolMax: 16 });
  await world.setMatchingEpoch("ewr", 1);
});
afterAll(() => world.close());

test("a ride that everybody changes at once has one winner for each version, and no version is skipped", async () => {
  const seed = Number(process.env["TEST_SEED"] ?? 5);
  const deadlocksBefore = await deadlocks(world);
  const result = await raceRides(world, { rides: 60, seed });
  console.log(`ride race, seed ${seed}:`, JSON.stringify(result));
  expect(result.wrong).toEqual([]);
  expect(await readViolations(world.sql)).toEqual([]);
  expect((await deadlocks(world)) - deadlocksBefore).toBe(0);
  for (const what of ["accept", "arrive", "start", "complete", "cancel", "timer: OfferExpired"])
    expect({ what, won: (result.won[what] ?? 0) > 0 }).toEqual({ what, won: true });
});
