/** A takeover as a gateway notices it: reads, streams and positions go to the region that serves the market now. */
import { expect, test } from "bun:test";
import { createClient } from "@connectrpc/connect";
import { DriverService, OpsService, RiderService, timestampFromMs } from "@ridegrid/contracts";
import type { ForwardPositionsRequest } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { RideStatus } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import { eventually } from "@ridegrid/testing";
import { connectTransport, coordinatorWith, durable, iterate, nyc, ride, rideId, startGateway, withBearer } from "./gateway.fixture.ts";

/** Two regions and a coordinator that says who serves which; New York's read model is alive and knows the ride as it was. */
function platform() {
  const world = { servedBy: "ewr", taken: [] as string[], cursors: [] as string[] };
  const asItIs = () => ride({ homeRegion: world.servedBy, version: world.servedBy === "ewr" ? 1n : 2n });
  const regions = () => ({
    regions: [
      { region: "ewr", servedBy: world.servedBy, epoch: world.servedBy === "ewr" ? 0n : 1n },
      { region: "lhr", servedBy: "lhr" },
    ],
  });
  return {
    world,
    behind: {
      coordinator: {
        ...coordinatorWith([]),
        listRegionStates: regions,
        getRide: () => ({ ride: asItIs() }),
        locateRide: () => ({ homeRegion: world.servedBy, marketId: "nyc" }),
        locateDriver: () => ({ homeRegion: world.servedBy }),
        listInvariantViolations: () => ({}),
      },
      state: (region: string) => ({
        getRideView: () => (region === world.servedBy ? { ride: asItIs() } : { ride: ride({ version: 1n }) }),
        searchRides: () => ({ page: { rides: [ride({ version: region === "ewr" ? 1n : 2n })] } }),
        listReadModelViolations: () => ({ violations: region === "ewr" && world.servedBy !== "ewr" ? [{ invariant: "I6" }] : [] }),
        async *watchRide({ command }: { readonly command?: { readonly cursor: string } | undefined }, { signal }: { readonly signal: AbortSignal }) {
          world.cursors.push(`${region} ${command?.cursor ?? ""}`);
          const version = region === "ewr" ? 1n : 2n;
          const status = region === "ewr" ? RideStatus.REQUESTED : RideStatus.COMPLETED;
          yield { message: { cursor: `r.${version}`, update: { case: "ride" as const, value: ride({ version, status }) } } };
          if (region === "ewr") await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
        },
        async *watchDriver(request: { readonly region: string }, { signal }: { readonly signal: AbortSignal }) {
          world.cursors.push(`driver ${request.region}`);
          yield { message: { cursor: "d.1", update: { case: "driver" as const, value: { driverId: "d-1" } } } };
          await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
        },
      }),
      ingest: (region: string) => ({
        async *forwardPositions(requests: AsyncIterable<ForwardPositionsRequest>) {
          for await (const page of requests) {
            world.taken.push(region);
            yield durable(page);
          }
        },
      }),
    },
  };
}

test("streams, reads and positions follow a takeover to the neighbor, though the old region still answers", async () => {
  const { world, behind } = platform();
  await using gateway = await startGateway(behind);
  const [rider, driver, operator] = [
    withBearer(await gateway.token("rider", "r-1")),
    withBearer(await gateway.token("driver", "d-1")),
    withBearer(await gateway.token("operator", "o-1")),
  ];
  const [riders, drivers, ops] = [RiderService, DriverService, OpsService] as const;
  const transport = connectTransport(gateway);
  const report = () =>
    createClient(drivers, transport).reportPositions(
      { positions: [{ sequence: 1n, location: nyc, accuracyM: 5, observeTime: timestampFromMs(1_700_000_000_000) }] },
      driver,
    );
  const watched = iterate(createClient(riders, transport).watchRide({ rideId }, rider));
  const left = new AbortController();
  const offers = iterate(createClient(drivers, transport).watchOffers({}, { ...driver, signal: left.signal }));
  expect((await watched.next()).value?.update.value).toMatchObject({ version: 1n });
  expect((await offers.next()).value?.cursor).toBe("d.1");
  await report();
  world.servedBy = "lhr";
  // The message that the neighbor's stream begins with, after the cursor of the old one.
  expect((await watched.next()).value?.update.value).toMatchObject({ version: 2n, status: RideStatus.COMPLETED });
  expect((await watched.next()).done).toBe(true);
  await offers.next();
  left.abort();
  await report();
  expect(world.taken).toEqual(["ewr", "lhr"]);
  expect(world.cursors.toSorted()).toEqual(["driver ewr", "driver lhr", "ewr ", "lhr r.1"]);
  const client = createClient(ops, transport);
  expect((await client.getRide({ rideId }, operator)).ride).toMatchObject({ version: 2n, homeRegion: "lhr" });
  const { rides, missingRegions } = await client.searchRides({}, operator);
  expect([rides.map(({ version }) => version), missingRegions]).toEqual([[2n], ["ewr"]]);
  expect((await client.listInvariantViolations({}, operator)).violations).toEqual([]);
  expect((await client.listRegions({}, operator)).regions.map(({ region, servedBy, epoch }) => [region, servedBy, epoch])).toEqual([
    ["ewr", "lhr", 1n],
    ["lhr", "lhr", 0n],
  ]);
}, 30_000);

test("while the coordinator is away the last answer stands", async () => {
  const { world, behind } = platform();
  world.servedBy = "lhr";
  let away = false;
  let asked = 0;
  const states = behind.coordinator.listRegionStates;
  const listRegionStates = () => {
    asked += 1;
    return away ? Promise.reject(new Error("away")) : states();
  };
  await using gateway = await startGateway({ ...behind, coordinator: { ...behind.coordinator, listRegionStates } });
  const bearer = withBearer(await gateway.token("driver", "d-1"));
  await eventually(() => asked > 0, { timeoutMs: 5_000 });
  away = true;
  const before = asked;
  await eventually(() => asked >= before + 2, { timeoutMs: 10_000, what: "two answers in vain" });
  const position = { sequence: 1n, location: nyc, accuracyM: 5, observeTime: timestampFromMs(1_700_000_000_000) };
  await createClient(DriverService, connectTransport(gateway)).reportPositions({ positions: [position] }, bearer);
  expect(world.taken).toEqual(["lhr"]);
}, 30_000);
