/** 10,000 requests down both paths, from another seed each time; the seed is printed. */
import { expect, test } from "bun:test";
import { createSeededRandom } from "@ridegrid/testing";
import { serveBothPaths } from "./both-paths.fixture.ts";

test("plainUnary() answers 10,000 plain and odd requests as the library's handler does", async () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  const paths = serveBothPaths();
  try {
    process.stdout.write(`seed ${seed}\n`);
    const { plain, byStatus } = await paths.compare(createSeededRandom(seed), 10_000);
    process.stdout.write(`10,000 requests, ${plain} of them plain, answered alike: ${JSON.stringify(byStatus)}\n`);
    expect(plain).toBeGreaterThan(5_000);
  } finally {
    await paths.stop();
  }
}, 300_000);
