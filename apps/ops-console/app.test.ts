/** The `ops` command line against a small OpsService: what it prints, what it refuses. */
import { describe, expect, test } from "bun:test";
import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { OpsService } from "@ridegrid/contracts";
import { RideStatus } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import { apiError } from "@ridegrid/rpc";
import { runCommand, usage } from "./app.ts";
import { readCommandLine, UsageError } from "./command-line.ts";
import { renderTable } from "./table.ts";

const rideId = "0190f3f0-0000-7000-8000-000000000003";
const areas: unknown[] = [];
const rebuilds: string[] = [];
const drained: { region: string; reason: string; requestId: string }[] = [];
const transport = createRouterTransport(({ service }) => {
  service(OpsService, {
    searchRides: ({ pageToken, pageSize, area }) => {
      areas.push(area);
      return pageToken === ""
        ? {
            rides: [{ rideId, status: RideStatus.REQUESTED, version: 3n, marketId: "nyc" }],
            nextPageToken: pageSize === 1 ? "" : "more",
            missingRegions: ["lhr"],
          }
        : { rides: [{ rideId: "second", status: RideStatus.COMPLETED, version: 9n, marketId: "nyc" }] };
    },
    searchDrivers: ({ near, radiusMeters, limit }) => ({
      drivers: [{ driver: { driverId: `d-${near?.latitude}`, stale: true }, distanceMeters: radiusMeters + limit, marketId: "nyc" }],
      missingRegions: ["lhr"],
    }),
    getRide: () => ({ ride: { rideId, status: RideStatus.CANCELED, version: 2n, fare: { currencyCode: "USD", amountMinor: 1_234n } } }),
    getRideTimeline: () => ({
      entries: [
        { type: "RideRequested", version: 1n },
        { type: "RideCanceled", version: 2n, elapsedMs: 1_500n },
      ],
    }),
    listInvariantViolations: () => ({ violations: [{ invariant: "I1", driverId: "d-1", detail: "two rides" }] }),
    drainRegion: ({ region, reason, requestId }) => {
      drained.push({ region, reason, requestId });
      return { region: { region, draining: true } };
    },
    rebuildReadModel: ({ requestId }) => {
      rebuilds.push(requestId);
      if (rebuilds.length === 1) throw apiError("REQUEST_IN_FLIGHT", "it goes on");
      return { hashBefore: "a", hashAfter: "b", rows: 12n, startedFrom: "snapshot" };
    },
    waiveFee: () => {
      throw new ConnectError("no fee", Code.FailedPrecondition);
    },
  });
});
const client = createClient(OpsService, transport);
const ops = (...args: string[]) => runCommand(readCommandLine(args), { client, uuid: () => "0190f3f0-0000-7000-8000-000000000009" });

describe("ops", () => {
  test("rides follows the pages and names the regions that did not answer", async () => {
    const { text, json } = await ops("rides", "--open");
    expect(text).toContain(rideId);
    expect(text).toContain("second");
    expect(text).toContain("No answer from: lhr");
    expect(json).toMatchObject({ rides: [{ ride_id: rideId }, { ride_id: "second" }], missing_regions: ["lhr"] });
  });

  test("drivers asks near a point, and rides in a circle around it", async () => {
    const { text } = await ops("drivers", "--near", "40.7,-74", "--radius", "900", "--limit", "7");
    expect(text).toContain("d-40.7");
    expect(text).toContain("907");
    expect(text).toContain("No answer from: lhr");
    await ops("rides", "--near=-17.8,179.9");
    expect(areas.at(-1)).toMatchObject({ center: { latitude: -17.8, longitude: 179.9 }, radiusMeters: 5_000 });
  });

  test("ride shows the ride in its currency's digits, and its events", async () => {
    const { text } = await ops("ride", rideId);
    expect(text).toContain("12.34 USD");
    expect(text).toContain("RideCanceled");
    expect(text).toContain("1500");
  });

  test("violations fails when there are any", async () => {
    expect(await ops("violations")).toMatchObject({ failed: true, json: { violations: [{ invariant: "I1" }] } });
  });

  test("drain sends the reason and a request id", async () => {
    expect((await ops("drain", "ewr", "--reason", "maintenance")).text).toBe("Region ewr: draining");
    expect(drained).toEqual([{ region: "ewr", reason: "maintenance", requestId: "0190f3f0-0000-7000-8000-000000000009" }]);
  });

  test("rebuild asks again with the same request until it is done, and says whether the model was right", async () => {
    rebuilds.length = 0;
    const { text, json } = await ops("rebuild", "rides", "--region", "ewr");
    expect(text).toBe("12 rows from the snapshot; hash a -> b");
    expect(json).toMatchObject({ hash_before: "a", hash_after: "b", started_from: "snapshot" });
    expect(rebuilds).toHaveLength(2);
    expect(new Set(rebuilds).size).toBe(1);
  });

  test("a change without a reason, an unknown command, flag or operand is a usage error", async () => {
    for (const args of [["drain", "ewr"], ["toString"], ["ride"], ["rides", "extra"], ["rides", "--radius", "5"], ["drivers"], ["ride", "a", "b"]]) {
      expect(await ops(...args).catch((error: unknown) => error)).toBeInstanceOf(UsageError);
    }
    for (const args of [
      [],
      ["rides", "--nope"],
      ["rides", "--limit", "x"],
      ["rides", "--url", "nowhere"],
      ["drivers", "--near", "91,0"],
      ["drivers", "--near", "40,"],
      ["drivers", "--near", "1,1", "--radius", "60000"],
    ]) {
      expect(() => readCommandLine(args)).toThrow(UsageError);
    }
  });

  test("a refusal of the platform comes through", async () => {
    expect(await ops("waive", rideId, "--reason", "goodwill").catch((error: unknown) => error)).toBeInstanceOf(ConnectError);
  });

  test("usage lists every command", () => {
    for (const command of ["ride ID", "rides", "market ID", "health", "violations", "audit", "drain", "takeover", "rebuild"])
      expect(usage()).toContain(command);
  });
});

describe("renderTable()", () => {
  test("aligns numbers to the right and says when there is nothing", () => {
    expect(
      renderTable({
        columns: ["a", "lag"],
        rows: [
          ["x", 5],
          ["long", 120n],
        ],
      }),
    ).toBe("a     lag\n----  ---\nx       5\nlong  120");
    expect(renderTable({ columns: ["a"], rows: [] })).toBe("(none)");
  });
});
