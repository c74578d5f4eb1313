/** The whole city against a platform in memory, good and misbehaving. */
import { describe, expect, test } from "bun:test";
import { eventually, freePort } from "@ridegrid/testing";
import { createSimulation, type SimulationOptions } from "./app.ts";
import { createGatewayClient } from "./gateway-client.ts";
import { createIdentity } from "./identity.ts";
import { findMarket } from "./market-lookup.ts";
import { type FixturePlatform, type Misbehavior, startFixturePlatform } from "./platform.fixture.ts";
import type { SimulationReport } from "./report.ts";

async function withPlatform<T>(misbehavior: Misbehavior, work: (platform: FixturePlatform) => Promise<T>): Promise<T> {
  const platform = startFixturePlatform(misbehavior);
  try {
    return await work(platform);
  } finally {
    await platform.close();
  }
}

function simulate(platform: FixturePlatform, changes: Partial<SimulationOptions> = {}): Promise<SimulationReport> {
  return createSimulation({
    gateways: { ewr: platform.url },
    market: "nyc",
    seed: 11,
    drivers: 20,
    rides: 30,
    speedup: 600,
    paceFactor: 4,
    compareTimeoutMs: 500,
    clock: { nowMs: () => Date.now() },
    newRequestId: () => crypto.randomUUID(),
    onProgress: () => {},
    onNotice: () => {},
    signal: new AbortController().signal,
    ...changes,
  }).run();
}

function ended({ rides, open }: SimulationReport): number {
  return rides.completed + rides.noDrivers + Object.values(rides.canceled).reduce((sum, count) => sum + count, 0) + open;
}

describe("createSimulation()", () => {
  test(
    "takes every ride to its end and agrees with the platform",
    () =>
      withPlatform({}, async (platform) => {
        const report = await simulate(platform);
        expect(report.violationDetails).toEqual([]);
        expect(report.rides.requested).toBe(30);
        expect(ended(report)).toBe(30);
        expect(report.open).toBe(0);
        // A busy machine may cost some riders their patience, at a speedup of 600.
        expect(report.rides.completed + report.rides.canceled.rider).toBe(30);
        expect(report.rides.completed).toBeGreaterThan(15);
        expect(report.platform?.completed).toBe(report.rides.completed);
        expect(report.records["ewr.ride-events.v1"]).toBeGreaterThan(150);
        expect(report.offersPerRide).toBeGreaterThanOrEqual(1);
        expect(report.positions.acknowledged).toBeGreaterThanOrEqual(20);
        expect(report.waitSeconds.p50).toBeGreaterThan(0);
      }),
    30_000,
  );

  test(
    "repeats a command whose answer was lost, and it takes effect once",
    () =>
      withPlatform({ losesAnswers: true }, async (platform) => {
        const report = await simulate(platform);
        expect(report.violationDetails).toEqual([]);
        expect(report.failures["Unavailable"]).toBeGreaterThan(20);
        expect(platform.rides.size).toBe(30);
        expect(ended(report)).toBe(30);
      }),
    30_000,
  );

  test(
    "resumes its streams after every connection was cut",
    () =>
      withPlatform({}, async (platform) => {
        const running = simulate(platform, { paceFactor: 3 });
        await eventually(() => platform.rides.size >= 8, { timeoutMs: 15_000, what: "eight rides" });
        await platform.cutConnections();
        const report = await running;
        expect(report.violationDetails).toEqual([]);
        expect(report.rides.completed + report.rides.canceled.rider).toBe(30);
        expect(report.rides.completed).toBeGreaterThan(10);
        expect(Object.keys(report.failures).some((reason) => reason.startsWith("STREAM_"))).toBe(true);
      }),
    30_000,
  );

  test.each([
    ["skipsVersion", "skipped from version"],
    ["forgetsCompletion", "and the platform says CANCELED by SYSTEM"],
  ] as const)(
    "notices a platform that %s",
    async (name, detail) =>
      withPlatform({ [name]: true }, async (platform) => {
        const report = await simulate(platform, { rides: 3 });
        expect(report.violations).toBeGreaterThan(0);
        expect(report.violationDetails.map((violation) => violation.detail).join("\n")).toContain(detail);
      }),
    30_000,
  );

  test(
    "stops an endless city within seconds of its signal",
    () =>
      withPlatform({}, async (platform) => {
        const stop = new AbortController();
        const running = simulate(platform, { rides: null, drivers: 5, signal: stop.signal });
        await eventually(() => platform.rides.size >= 3, { timeoutMs: 15_000, what: "three rides" });
        const stoppedAtMs = performance.now();
        stop.abort();
        const report = await running;
        expect(performance.now() - stoppedAtMs).toBeLessThan(5_000);
        expect(report.rides.requested).toBeGreaterThanOrEqual(3);
      }),
    30_000,
  );

  test("says which markets there are when its own is not among them", () =>
    withPlatform({}, async (platform) => {
      await expect(simulate(platform, { market: "par" })).rejects.toThrow('Cannot simulate market "par": the platform serves nyc');
    }));
});

test("findMarket() says where it waited in vain for a platform", async () => {
  const gateway = createGatewayClient(`http://127.0.0.1:${await freePort()}`);
  const clock = { nowMs: () => Date.now() };
  const operator = createIdentity({ gateway, clock, role: "operator", subject: "o-1" });
  const lookup = findMarket({ gateway, operator, clock, signal: new AbortController().signal, patienceMs: 300 }, "nyc");
  await expect(lookup).rejects.toThrow(`Cannot reach the platform at ${gateway.url}`);
});
