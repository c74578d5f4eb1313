/** The shipped regions file, and what each mistake in one gets. */
import { describe, expect, test } from "bun:test";
import { defaultDispatchPolicy, regionId } from "@ridegrid/domain";
import { latLngToCell } from "h3-js";
import { loadRegions, RegionsFileInvalid } from "./load-regions.ts";

// The shipped file is what every environment starts from: a mistake in it must fail here first.
const shipped: unknown = await Bun.file(new URL("../../deploy/regions.json", import.meta.url)).json();

/** The shipped file with the value at a dotted path replaced, or removed where it is undefined. */
function changed(changes: Readonly<Record<string, unknown>>): unknown {
  const file: unknown = structuredClone(shipped);
  for (const [path, value] of Object.entries(changes)) replace(file, path.split("."), value);
  return file;
}

function replace(within: unknown, path: readonly string[], value: unknown): void {
  const [name = "", ...rest] = path;
  if (typeof within !== "object" || within === null) throw new Error(`No object above ${name}`);
  if (rest.length > 0) replace(Reflect.get(within, name), rest, value);
  else if (value === undefined) Reflect.deleteProperty(within, name);
  else Reflect.set(within, name, value);
}

describe("deploy/regions.json", () => {
  const regions = loadRegions(shipped);

  test("has New York at home in ewr and London in lhr, each the other's neighbor", () => {
    expect(regions.all.map((one) => [one.id, one.neighbor, one.markets.map((market) => String(market.marketId))])).toEqual([
      ["ewr", "lhr", ["nyc"]],
      ["lhr", "ewr", ["lon"]],
    ]);
    expect(regions.market("nyc")).toMatchObject({
      homeRegion: regionId("ewr"),
      partition: 0,
      currencyCode: "USD",
      timeZone: "America/New_York",
      policy: defaultDispatchPolicy,
    });
    expect(regions.market("lon")).toMatchObject({ homeRegion: regionId("lhr"), partition: 0, currencyCode: "GBP", timeZone: "Europe/London" });
    expect(regions.market("par")).toBeUndefined();
    expect(() => regions.region("cdg")).toThrow('Unknown region "cdg": the regions file has "ewr", "lhr"');
  });

  test.each([
    ["nyc", 40.45, 41.05, -74.35, -73.55],
    ["lon", 51.28, 51.7, -0.52, 0.3],
  ])("covers the whole box of %s", (id, south, north, west, east) => {
    for (let row = 0; row <= 100; row++) {
      for (let column = 0; column <= 100; column++) {
        const point = { latitude: south + ((north - south) * row) / 100, longitude: west + ((east - west) * column) / 100 };
        expect(String(regions.marketAt(point)?.marketId)).toBe(id);
      }
    }
  });

  test("marketAt() knows no market at sea, off the globe or at no number", () => {
    const nowhere = [
      [0, 0],
      [40.75, -60],
      [91, 0],
      [40.75, 286.016],
      [Number.NaN, -73.9],
      [40.7, Number.NaN],
      [Infinity, 0],
    ] as const;
    for (const [latitude, longitude] of nowhere) expect(regions.marketAt({ latitude, longitude })).toBeUndefined();
  });
});

describe("loadRegions() refuses with one line that names the field:", () => {
  const nyc = "regions.0.markets.0";
  const lon = "regions.1.markets.0";
  const { homeRegion: _, coverResolution: __, ...jfk } = { ...loadRegions(shipped).region("ewr").markets[0], marketId: "jfk" };
  const cases: readonly [string, Readonly<Record<string, unknown>>, string][] = [
    ["an unknown neighbor", { "regions.0.neighbor": "cdg" }, 'regions[0].neighbor is "cdg"; no region has this id; there are "ewr", "lhr"'],
    ["itself as neighbor", { "regions.1.neighbor": "lhr" }, 'regions[1].neighbor is "lhr"; a region\'s neighbor is another region'],
    ["a region twice", { "regions.1.id": "ewr" }, 'regions[1].id is "ewr"; regions[0].id has the same value'],
    ["a region id that no topic can carry", { "regions.0.id": "EWR 1" }, 'regions[0].id is "EWR 1"'],
    ["a market twice", { [`${lon}.marketId`]: "nyc" }, 'regions[1].markets[0].marketId is "nyc"; another market has this id'],
    [
      "overlapping covers",
      { [`${lon}.cover.21`]: "852a100ffffffff" },
      'regions[1].markets[0].cover[21] is "852a100ffffffff"; market "nyc" covers this cell already',
    ],
    [
      "a cell twice in a cover",
      { [`${nyc}.cover.30`]: "852a1003fffffff" },
      'regions[0].markets[0].cover[30] is "852a1003fffffff"; regions[0].markets[0].cover[0] has the same value',
    ],
    ["a partition twice", { "regions.0.markets.1": jfk }, "regions[0].markets[1].partition is 0; regions[0].markets[0].partition has the same value"],
    ["a partition that no topic has", { [`${nyc}.partition`]: 8 }, "regions[0].markets[0].partition is 8; it must be a whole number from 0 to 7"],
    ["half a partition", { [`${nyc}.partition`]: 0.5 }, "regions[0].markets[0].partition is 0.5"],
    ["a bad cell", { [`${nyc}.cover.2`]: "852a1003ffffffg" }, 'regions[0].markets[0].cover[2] is "852a1003ffffffg"; it must be an H3 cell'],
    ["mixed resolutions in a cover", { [`${nyc}.cover.2`]: latLngToCell(48, 2, 6) }, "its resolution is 6, and the first cell's 5"],
    [
      "mixed resolutions in the file",
      { [`${lon}.cover`]: [latLngToCell(51.5074, -0.1278, 6)] },
      "regions[1].markets[0].cover is 6; covers of one file have one resolution",
    ],
    ["a center outside the cover", { [`${nyc}.center.latitude`]: 10 }, 'regions[0].markets[0].center is {"latitude":10'],
    ["a time zone that does not exist", { [`${nyc}.timeZone`]: "America/Gotham" }, 'regions[0].markets[0].timeZone is "America/Gotham"'],
    ["a currency in lower case", { [`${nyc}.currencyCode`]: "usd" }, 'regions[0].markets[0].currencyCode is "usd"; it must be an ISO 4217 code in capitals'],
    ["a missing tariff field", { [`${nyc}.tariff.baseMinor`]: undefined }, "regions[0].markets[0].tariff.baseMinor is nothing"],
    ["money in fractions", { [`${nyc}.tariff.baseMinor`]: 2.5 }, "regions[0].markets[0].tariff.baseMinor is 2.5"],
    ["a policy field of the wrong type", { [`${nyc}.policy`]: { offerTtlMs: "15s" } }, 'regions[0].markets[0].policy.offerTtlMs is "15s"'],
    ["a misspelled policy field", { [`${nyc}.policy`]: { offerTTLMs: 1 } }, "regions[0].markets[0].policy.offerTTLMs is 1; there is no such field"],
    ["a region that is a list", { "regions.0": [] }, "regions[0] is []; it must be an object"],
    ["no markets", { "regions.0.markets": [] }, "regions[0].markets is []; it must have 1 to 8 entries, and has 0"],
  ];
  test.each(cases)("%s", (_name, changes, message) => {
    const load = (): unknown => loadRegions(changed(changes));
    expect(load).toThrow(RegionsFileInvalid);
    expect(load).toThrow(message);
    expect(load).not.toThrow("\n");
  });

  test.each([[null], [[]], ["x"], [{}], [{ regions: {} }]])("%p instead of a file", (json) => {
    expect(() => loadRegions(json)).toThrow(RegionsFileInvalid);
  });
});

test("loadRegions() lays a market's own policy over the default one", () => {
  const file = changed({ "regions.0.markets.0.policy": { offerTtlMs: 3_000 } });
  expect(loadRegions(file).market("nyc")?.policy).toEqual({ ...defaultDispatchPolicy, offerTtlMs: 3_000 });
});
