/** Both read caches pass one suite; the Upstash one against a real Redis. Reads go on with Redis stopped, flushed and slow. */
import { afterAll, describe, expect, test } from "bun:test";
import { createManualClock, eventually, redisServerMissing, startRedisServer, startUpstashBridge } from "@ridegrid/testing";
import { readCacheConformance } from "./read-cache.conformance.ts";
import { createMemoryReadCache } from "./read-cache.memory.ts";
import { createRestingReadCache } from "./read-cache.resting.ts";
import { createUpstashReadCache } from "./read-cache.upstash.ts";

const clock = createManualClock(1_800_000_000_000);
readCacheConformance("memory", { cache: createMemoryReadCache({ clock, keysMax: 1_000 }), advance: async (ms) => void clock.advance(ms) });

test("the memory read cache forgets the key put longest ago when it is full", async () => {
  const cache = createMemoryReadCache({ clock, keysMax: 2 });
  for (const key of ["a", "b", "c"]) await cache.put(key, { version: 1, value: key }, 1_000);
  expect([await cache.get("a"), (await cache.get("b"))?.value, (await cache.get("c"))?.value]).toEqual([null, "b", "c"]);
});

const missing = redisServerMissing();
if (missing !== null) test.skip(`the Upstash read cache (${missing})`, () => {});
else {
  const server = await startRedisServer();
  const bridge = startUpstashBridge({ redisPort: server.port, token: "test-token" });
  const create = (timeoutMs: number) => createUpstashReadCache({ url: bridge.url, token: bridge.token, prefix: "test", timeoutMs });
  afterAll(async () => {
    await bridge.stop();
    await server.stop();
  });

  readCacheConformance("Upstash", { cache: create(5_000), advance: (ms) => Bun.sleep(ms) });

  describe("a cache that is never in the way", () => {
    function resting(timeoutMs: number) {
      let without = 0;
      const cache = createRestingReadCache({ cache: create(timeoutMs), clock, restMs: 1_000, onWithout: () => void without++ });
      return { cache, without: () => without };
    }

    test("misses while Redis is 2 s slow, waits for it once, and asks it again after its rest", async () => {
      const { cache, without } = resting(100);
      bridge.delayMs = 2_000;
      const startedAt = performance.now();
      for (let reads = 0; reads < 20; reads++) expect(await cache.get("slow")).toBeNull();
      await cache.put("slow", { version: 1, value: "x" }, 1_000);
      expect(performance.now() - startedAt).toBeLessThan(20 * 50);
      expect(without()).toBe(21);
      bridge.delayMs = 0;
      const found = async (): Promise<boolean> => {
        clock.advance(1_000);
        await cache.put("slow", { version: 2, value: "y" }, 60_000);
        return (await cache.get("slow"))?.value === "y";
      };
      await eventually(found, { timeoutMs: 20_000, what: "the cache is used again" });
    });

    test("misses after a flush", async () => {
      const { cache, without } = resting(5_000);
      await cache.put("flushed", { version: 1, value: "x" }, 60_000);
      await bridge.flush();
      expect(await cache.get("flushed")).toBeNull();
      await cache.put("flushed", { version: 1, value: "x" }, 60_000);
      expect(await cache.get("flushed")).toMatchObject({ value: "x" });
      expect(without()).toBe(0);
    });

    test("misses where nobody listens", async () => {
      let without = 0;
      const away = createUpstashReadCache({ url: "http://127.0.0.1:1", token: "t", prefix: "test", timeoutMs: 1_000 });
      const cache = createRestingReadCache({ cache: away, clock, restMs: 1_000, onWithout: () => void without++ });
      expect(await cache.get("away")).toBeNull();
      await cache.put("away", { version: 1, value: "x" }, 1_000);
      expect(without).toBe(2);
    });
  });
}
