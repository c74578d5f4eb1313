/** Which markets and partitions a region must be ready to serve. */
import { expect, test } from "bun:test";
import regionsFile from "../../deploy/regions.json" with { type: "json" };
import { cellAt } from "./cells.ts";
import { loadRegions } from "./load-regions.ts";
import { marketsWithinReach, partitionsWithinReach } from "./takeover-reach.ts";

const sanFrancisco = { latitude: 37.77, longitude: -122.42 };
const [ewr, lhr] = regionsFile.regions;
if (ewr === undefined || lhr === undefined) throw new Error("deploy/regions.json has two regions");

test("marketsWithinReach() follows the chain of neighbors, and ends in a ring", () => {
  const regions = loadRegions(regionsFile);
  expect(marketsWithinReach(regions, "lhr").map(({ marketId }) => String(marketId))).toEqual(["nyc", "lon"]);
  expect(partitionsWithinReach(regions, "lhr")).toEqual([0]);
});

test("a region that is nobody's neighbor serves its own markets only", () => {
  const [market] = ewr.markets;
  if (market === undefined) throw new Error("ewr has a market");
  const third = {
    ...ewr,
    id: "sjc",
    neighbor: "ewr",
    markets: [{ ...market, marketId: "sfo", partition: 3, cover: [cellAt(sanFrancisco, 5)], center: sanFrancisco }],
  };
  const regions = loadRegions({ regions: [ewr, lhr, third] });
  expect(marketsWithinReach(regions, "sjc").map(({ marketId }) => String(marketId))).toEqual(["sfo"]);
  expect(partitionsWithinReach(regions, "lhr")).toEqual([0, 3]);
});
