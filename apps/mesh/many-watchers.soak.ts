/** 5,000 open watchers on one gateway for a minute while rides change: what each costs in memory, and how long an event takes to reach it. */
import { readFileSync } from "node:fs";
import { expect, test } from "bun:test";
import { londonGoesOn } from "./london-goes-on.fixture.ts";
import { openWatchers, type Watcher } from "./many-watchers.fixture.ts";
import { createMeshFolder, gatewayOf } from "./mesh.fixture.ts";
import { type Call, clientOf, newYork, requestRide, tokenOf } from "./ride-by-hand.fixture.ts";

const rides = 100;
const watchersPerRide = 50;
const seconds = 60;
const cancelEveryMs = 550;

test("5,000 watchers of one gateway are told of changes for a minute", async () => {
  const folder = await createMeshFolder();
  try {
    await folder.dev("--no-city", "--processes");
    const url = gatewayOf(folder, "ewr");
    const riders: { readonly call: Call; readonly rideId: unknown; readonly token: string }[] = [];
    for (let index = 0; index < rides; index++) {
      const [call, token] = [await clientOf(url, "rider", `r-many-${index}`), await tokenOf(url, "rider", `r-many-${index}`)];
      riders.push({ call, token, rideId: (await requestRide(call, newYork))["rideId"] });
    }
    const memory = () => ({ gateway: residentKb(folder.file().pids["gateway.ewr"]), state: residentKb(folder.file().pids["state-query.ewr"]) });
    const before = memory();
    const wanted: readonly Watcher[] = riders.flatMap(({ rideId, token }) =>
      Array.from({ length: watchersPerRide }, () => ({ rideId: String(rideId), token })),
    );
    const began = performance.now();
    const watchers = await openWatchers(url, wanted);
    const openedInSeconds = (performance.now() - began) / 1_000;
    const opened = watchers.open();

    const idle = memory();
    const city = londonGoesOn(url);
    city.enter("beside");
    let canceled = 0;
    for (const untilMs = performance.now() + seconds * 1_000; performance.now() < untilMs && canceled < rides; canceled++) {
      const rider = riders[canceled];
      await rider?.call("CancelRide", { requestId: crypto.randomUUID(), rideId: rider.rideId });
      await Bun.sleep(cancelEveryMs);
    }
    await city.stop();
    const after = memory();
    const sorted = watchers.delaysMs.toSorted((left, right) => left - right);
    const quantile = (share: number): number => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN);
    const perStream = (from: number, to: number): number => Math.round((to - from) / wanted.length);
    console.log(
      "many watchers:",
      JSON.stringify({
        opened,
        openedInSeconds: Math.round(openedInSeconds),
        changes: canceled,
        told: sorted.length,
        delayMs: { p50: quantile(0.5), p99: quantile(0.99), max: sorted.at(-1) },
        gatewayKbPerStream: { opened: perStream(before.gateway, idle.gateway), afterLoad: perStream(before.gateway, after.gateway) },
        stateKbPerStream: { opened: perStream(before.state, idle.state), afterLoad: perStream(before.state, after.state) },
        callsBeside: city.calls("beside"),
      }),
    );
    expect(opened).toBe(wanted.length);
    expect(watchers.failures).toEqual([]);
    expect(city.failures).toEqual([]);
    expect(sorted.length).toBe(canceled * watchersPerRide);
    watchers.close();
  } finally {
    await folder.reap();
  }
}, 420_000);

function residentKb(pid: number | undefined): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid ?? 0}/status`, "utf8"))?.[1] ?? Number.NaN);
}
