/**
 * Reads the regions file and checks it: what is wrong is one `RegionsFileInvalid` whose message names the field and
 * quotes the value. A policy that the file does not name is the default one. Opens no file itself.
 */
import { defaultDispatchPolicy, marketId, regionId, type DispatchPolicy, type LatLng, type Tariff, type TravelModel } from "@ridegrid/domain";
import { cellToParent, getResolution, isValidCell, latLngToCell } from "h3-js";
import { rememberSquares } from "./cell-squares.ts";
import { type Fields, fieldsOf, invalid, listAt, numberAt, textAt } from "./json-fields.ts";
import { coverResolutionMax, partitionsPerRegion, regionsMax } from "./limits.ts";
import type { Region, RegionMarket, Regions } from "./regions.ts";

export { RegionsFileInvalid } from "./json-fields.ts";

/** @throws RegionsFileInvalid at the first thing that is wrong. */
export function loadRegions(json: unknown): Regions {
  const file = fieldsOf(json, "", ["regions"]);
  const all = listAt(file, "regions", { min: 1, max: regionsMax }).map((item, index) => region(item, `regions[${index}]`));
  requireDistinct(
    all.map((one) => one.id),
    (index) => `regions[${index}].id`,
  );
  all.forEach((one, index) => requireNeighbor(all, one, `regions[${index}].neighbor`));
  const covers = joinCovers(all);
  return lookup(all, covers);
}

function lookup(all: readonly Region[], covers: Covers): Regions {
  const byId = new Map(all.map((one) => [one.id, one]));
  const markets = new Map(all.flatMap((one) => one.markets).map((market) => [String(market.marketId), market]));
  const marketOn = rememberSquares(
    (latitude, longitude) => latLngToCell(latitude, longitude, covers.resolution),
    (cell) => covers.marketOf.get(cell),
  );
  return {
    all,
    region(id) {
      const found = byId.get(id);
      if (found === undefined) throw new Error(`Unknown region "${id}": the regions file has ${[...byId.keys()].map(quoted).join(", ")}`);
      return found;
    },
    market: (id) => markets.get(id),
    marketAt(point) {
      // H3 wraps what lies off the globe back onto it, and refuses what is no number.
      if (!(Math.abs(point.latitude) <= 90) || !(Math.abs(point.longitude) <= 180)) return undefined;
      return marketOn(point);
    },
  };
}

type Covers = { readonly resolution: number; readonly marketOf: ReadonlyMap<string, RegionMarket> };

/** One resolution in the whole file makes two covers overlap exactly where they share a cell. */
function joinCovers(all: readonly Region[]): Covers {
  const marketOf = new Map<string, RegionMarket>();
  const ids = new Set<string>();
  let resolution: number | undefined;
  all.forEach((one, at) =>
    one.markets.forEach((market, index) => {
      const path = `regions[${at}].markets[${index}]`;
      if (ids.has(market.marketId)) throw invalid(`${path}.marketId`, market.marketId, "another market has this id");
      ids.add(market.marketId);
      resolution ??= market.coverResolution;
      if (market.coverResolution !== resolution) {
        throw invalid(`${path}.cover`, market.coverResolution, `covers of one file have one resolution, and another market's has ${resolution}`);
      }
      market.cover.forEach((cell, position) => {
        const other = marketOf.get(cell);
        if (other !== undefined) throw invalid(`${path}.cover[${position}]`, cell, `market "${other.marketId}" covers this cell already`);
        marketOf.set(cell, market);
      });
    }),
  );
  return { resolution: resolution ?? 0, marketOf };
}

function region(json: unknown, path: string): Region {
  const fields = fieldsOf(json, path, ["id", "neighbor", "markets"]);
  const id = textAt(fields, "id", { pattern: /^[a-z][a-z0-9]{1,15}$/, is: "2 to 16 lower-case letters and digits, a letter first" });
  const neighbor = textAt(fields, "neighbor", { pattern: /./, is: "the id of another region" });
  const markets = listAt(fields, "markets", { min: 1, max: partitionsPerRegion }).map((item, index) => market(item, `${path}.markets[${index}]`, id));
  requireDistinct(
    markets.map((one) => one.partition),
    (index) => `${path}.markets[${index}].partition`,
  );
  return { id, neighbor, markets };
}

const marketFields = ["marketId", "partition", "currencyCode", "timeZone", "center", "cover", "tariff", "travel", "policy"];

function market(json: unknown, path: string, region: string): RegionMarket {
  const fields = fieldsOf(json, path, marketFields);
  const cover = listAt(fields, "cover", { min: 1, max: Number.MAX_SAFE_INTEGER }).map((cell, index) => h3Cell(cell, `${path}.cover[${index}]`));
  const coverResolution = oneResolution(cover, path);
  requireDistinct(cover, (index) => `${path}.cover[${index}]`);
  const center = point(fields.values["center"], `${path}.center`);
  if (!cover.includes(latLngToCell(center.latitude, center.longitude, coverResolution))) throw invalid(`${path}.center`, center, "it must lie in the cover");
  return {
    marketId: marketId(textAt(fields, "marketId", { pattern: /^[a-z][a-z0-9-]{1,15}$/, is: "2 to 16 lower-case letters, digits and dashes" })),
    homeRegion: regionId(region),
    partition: numberAt(fields, "partition", { min: 0, max: partitionsPerRegion - 1, whole: true }),
    currencyCode: textAt(fields, "currencyCode", { pattern: /^[A-Z]{3}$/, is: "an ISO 4217 code in capitals" }),
    timeZone: timeZone(fields),
    tariff: tariff(fields.values["tariff"], `${path}.tariff`),
    travel: travel(fields.values["travel"], `${path}.travel`),
    policy: policy(fields.values["policy"] ?? {}, `${path}.policy`),
    center,
    cover,
    coverResolution,
  };
}

function h3Cell(value: unknown, path: string): string {
  if (typeof value !== "string" || !isValidCell(value)) throw invalid(path, value, "it must be an H3 cell");
  // H3 accepts capitals and leading zeros; keys of a map must have one spelling.
  return cellToParent(value, getResolution(value));
}

function oneResolution(cover: readonly string[], path: string): number {
  const resolutions = cover.map((cell) => getResolution(cell));
  const resolution = resolutions[0] ?? 0;
  const other = resolutions.findIndex((one) => one !== resolution);
  if (other >= 0) throw invalid(`${path}.cover[${other}]`, cover[other], `its resolution is ${resolutions[other]}, and the first cell's ${resolution}`);
  if (resolution > coverResolutionMax) throw invalid(`${path}.cover[0]`, cover[0], `its resolution is ${resolution}, at most ${coverResolutionMax} is allowed`);
  return resolution;
}

function timeZone(fields: Fields): string {
  const zone = textAt(fields, "timeZone", { pattern: /./, is: "an IANA time zone" });
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return zone;
  } catch {
    throw invalid(`${fields.path}.timeZone`, zone, 'it must be an IANA time zone such as "Europe/London"');
  }
}

function point(json: unknown, path: string): LatLng {
  const fields = fieldsOf(json, path, ["latitude", "longitude"]);
  return { latitude: numberAt(fields, "latitude", { min: -90, max: 90 }), longitude: numberAt(fields, "longitude", { min: -180, max: 180 }) };
}

function tariff(json: unknown, path: string): Tariff {
  const fields = fieldsOf(json, path, [
    "baseMinor",
    "perKilometerMinor",
    "perMinuteMinor",
    "minimumMinor",
    "bookingFeeMinor",
    "cancellationFeeMinor",
    "noShowFeeMinor",
  ]);
  const amount = (name: keyof Tariff): number => numberAt(fields, name, { min: 0, max: 1_000_000, whole: true });
  return {
    baseMinor: amount("baseMinor"),
    perKilometerMinor: amount("perKilometerMinor"),
    perMinuteMinor: amount("perMinuteMinor"),
    minimumMinor: amount("minimumMinor"),
    bookingFeeMinor: amount("bookingFeeMinor"),
    cancellationFeeMinor: amount("cancellationFeeMinor"),
    noShowFeeMinor: amount("noShowFeeMinor"),
  };
}

function travel(json: unknown, path: string): TravelModel {
  const fields = fieldsOf(json, path, ["speedMps", "detour"]);
  return { speedMps: numberAt(fields, "speedMps", { min: 0.5, max: 60 }), detour: numberAt(fields, "detour", { min: 1, max: 5 }) };
}

function policy(json: unknown, path: string): DispatchPolicy {
  const fields = fieldsOf(json, path, Object.keys(defaultDispatchPolicy));
  const bounds = Object.keys(fields.values).map((name) => [name, numberAt(fields, name, { min: 1, max: 86_400_000, whole: name !== "arrivalFactor" })]);
  return { ...defaultDispatchPolicy, ...Object.fromEntries(bounds) };
}

function requireNeighbor(all: readonly Region[], one: Region, path: string): void {
  if (!all.some((other) => other.id === one.neighbor))
    throw invalid(path, one.neighbor, `no region has this id; there are ${all.map((other) => quoted(other.id)).join(", ")}`);
  // A single region has nobody to be taken over by.
  if (all.length > 1 && one.neighbor === one.id) throw invalid(path, one.neighbor, "a region's neighbor is another region");
}

function requireDistinct(values: readonly (string | number)[], pathOf: (index: number) => string): void {
  values.forEach((value, index) => {
    const first = values.indexOf(value);
    if (first !== index) throw invalid(pathOf(index), value, `${pathOf(first)} has the same value`);
  });
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
