/** Reads of hot rides, with the cache there, gone and lying: never older than asked for, and never dependent on it. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { reasonOf } from "@ridegrid/rpc";
import { createSeededRandom, createSequentialIds, eventually, redisServerMissing, startRedisServer, startUpstashBridge } from "@ridegrid/testing";
import { createCity, offerAccepted, offerSent } from "./city.fixture.ts";
import { as, createTestRegion, operator, region, type StateProcess, type TestRegion } from "./region.fixture.ts";

let ewr: TestRegion;
beforeAll(async () => {
  ewr = await createTestRegion();
}, 30_000);
afterAll(() => ewr.close(), 30_000);

const ids = createSequentialIds(7_001);
const city = createCity({ random: createSeededRandom(7), ids });

async function versionOf({ client }: StateProcess, rideId: string, minVersion = 0): Promise<number> {
  return Number((await client.getRideView({ region, rideId, minVersion: BigInt(minVersion) }, operator)).ride?.version ?? 0);
}

/** A ride from its request to its accept, each step read as soon as it is folded. */
async function followed(process: StateProcess, driver: string): Promise<string> {
  await ewr.append([city.goOnline(driver)]);
  const { rideId, change } = city.request("r-1");
  await ewr.append([change]);
  await eventually(async () => (await versionOf(process, rideId)) === 1, { timeoutMs: 20_000, what: "the ride at version 1" });
  await ewr.append([city.happen(rideId, offerSent(ids), driver)]);
  await eventually(async () => (await versionOf(process, rideId)) === 2, { timeoutMs: 20_000, what: "the ride at version 2" });
  await ewr.append([city.happen(rideId, offerAccepted(city.ride(rideId)))]);
  await eventually(async () => (await versionOf(process, rideId, 3)) === 3, { timeoutMs: 20_000, what: "the ride at version 3" });
  // Whoever has seen a version is not shown an older one.
  for (let reads = 0; reads < 5; reads++) expect(await versionOf(process, rideId)).toBe(3);
  const stranger = await process.client.getRideView({ region, rideId }, as("rider", "r-other")).catch((error: unknown) => error);
  expect(reasonOf(stranger)).toBe("RIDE_NOT_FOUND");
  return rideId;
}

test("a hot ride is read at its newest version, in this process's own cache, and is still another person's secret", async () => {
  await followed(await ewr.process(), "d-own");
});

const missing = redisServerMissing();
if (missing !== null) test.skip(`hot rides in Redis (${missing})`, () => {});
else
  test("reads go on with Redis there, flushed, slow and stopped", async () => {
    const server = await startRedisServer();
    const bridge = startUpstashBridge({ redisPort: server.port, token: "test-token" });
    const process = await ewr.process({ redis: { url: bridge.url, token: bridge.token } });
    try {
      const rideId = await followed(process, "d-there");
      await bridge.flush();
      expect(await versionOf(process, rideId)).toBe(3);
      bridge.delayMs = 2_000;
      await followed(process, "d-slow");
      bridge.delayMs = 0;
      await server.stop();
      await followed(process, "d-stopped");
      expect(await process.context.metricsText()).toMatch(/read_cache_fallbacks_total(\{[^}]*\})? [1-9]/);
    } finally {
      await bridge.stop();
      await server.stop();
    }
  }, 90_000);
