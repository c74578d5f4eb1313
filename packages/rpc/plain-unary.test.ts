/** The plain path and the library's handler answer alike, whatever is sent; the soak beside it sends ten times as much. */
import { expect, test } from "bun:test";
import { createSeededRandom } from "@ridegrid/testing";
import { serveBothPaths } from "./both-paths.fixture.ts";

test("plainUnary() answers 1,000 plain and odd requests as the library's handler does", async () => {
  const paths = serveBothPaths();
  try {
    const { plain, byStatus } = await paths.compare(createSeededRandom(7), 1_000);
    expect(plain).toBeGreaterThan(500);
    for (const status of [200, 400, 401, 403, 404, 405, 415, 429, 499, 500, 501])
      expect({ status, seen: byStatus[status] ?? 0 }).not.toEqual({ status, seen: 0 });
  } finally {
    await paths.stop();
  }
}, 60_000);
