/** What every `ReadCache` must do. Each adapter's test calls this; passing it is what "adapter" means. */
import { describe, expect, test } from "bun:test";
import type { ReadCache } from "./read-cache.ts";

export type ReadCacheHarness = {
  readonly cache: ReadCache;
  /** Lets so much time pass as the adapter sees it. */
  advance(ms: number): Promise<void>;
};

export function readCacheConformance(name: string, { cache, advance }: ReadCacheHarness): void {
  const key = (): string => `key-${crypto.randomUUID()}`;
  const value = '{"text":"ü 7","nested":[1,null]}';

  describe(`${name} read cache`, () => {
    test("gives back what was put, letter by letter, and nothing else", async () => {
      const id = key();
      expect(await cache.get(id)).toBeNull();
      await cache.put(id, { version: 3, value }, 60_000);
      expect(await cache.get(id)).toMatchObject({ version: 3, value });
      expect(await cache.get(key())).toBeNull();
    });

    test("keeps the newest version, whichever comes last", async () => {
      const id = key();
      await cache.put(id, { version: 9, value: "nine" }, 60_000);
      await cache.put(id, { version: 10, value: "ten" }, 60_000);
      await cache.put(id, { version: 9, value: "nine" }, 60_000);
      expect(await cache.get(id)).toMatchObject({ version: 10, value: "ten" });
      await cache.put(id, { version: 10, value: "ten again" }, 60_000);
      expect(await cache.get(id)).toMatchObject({ value: "ten again" });
    });

    test("forgets after its time, and takes an older version then", async () => {
      const id = key();
      await cache.put(id, { version: 5, value: "five" }, 200);
      await advance(400);
      expect(await cache.get(id)).toBeNull();
      await cache.put(id, { version: 4, value: "four" }, 60_000);
      expect(await cache.get(id)).toMatchObject({ version: 4 });
    });

    test("keeps the newest of many put at once", async () => {
      const id = key();
      await Promise.all(Array.from({ length: 40 }, (_, index) => cache.put(id, { version: (index * 7) % 40, value: `v${(index * 7) % 40}` }, 60_000)));
      expect(await cache.get(id)).toMatchObject({ version: 39, value: "v39" });
    });
  });
}
