/** The race of `ride-race.integration.test.ts` over 1,000 rides. */
import { expect, test } from "bun:test";
import { createWorld, deadlocks } from "./coordinator.fixtures.ts";
import { readViolations } from "./read-violations.postgres.ts";
import { raceRides } from "./ride-race.fixture.ts";

test("1,000 rides that everybody changes at once have one winner for each version", async () => {
  const world = await createWorld({ running: false, poolMax: 16 });
  try {
    await world.setMatchingEpoch("ewr", 1);
    const deadlocksBefore = await deadlocks(world);
    const seed = Number(process.env["TEST_SEED"] ?? 6);
    const result = await raceRides(world, { rides: 1_000, seed });
    console.log(`ride race, seed ${seed}:`, JSON.stringify({ ...result, deadlocks: (await deadlocks(world)) - deadlocksBefore }));
    expect(result.wrong).toEqual([]);
    expect(await readViolations(world.sql)).toEqual([]);
    expect((await deadlocks(world)) - deadlocksBefore).toBe(0);
  } finally {
    await world.close();
  }
});
