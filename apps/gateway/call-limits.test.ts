/** How many development tokens an address gets. */
import { createManualClock, createTestContext } from "@ridegrid/testing";
import { expect, test } from "bun:test";
import { createCallLimits } from "./call-limits.ts";
import { tokensBucket } from "./limits.ts";

test("refuseToken() refuses an address that asks too often, says when to come back, and lets others have theirs", async () => {
  const clock = createManualClock(1_800_000_000_000);
  const limits = createCallLimits({ clock, meter: createTestContext().meter, addressOf: () => "", shared: undefined });
  for (let index = 0; index < tokensBucket.capacity; index++) expect(await limits.refuseToken("192.0.2.1")).toBeUndefined();
  const refused = await limits.refuseToken("192.0.2.1");
  expect(refused?.status).toBe(429);
  expect(Number(refused?.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(await limits.refuseToken("192.0.2.2")).toBeUndefined();
  clock.advance(1_000);
  expect(await limits.refuseToken("192.0.2.1")).toBeUndefined();
});
