/** Markets on the map, and the index of points that move. */
export { cellAt } from "./cells.ts";
export { createCsrGrid, createNeighbors, type CsrGrid, type Neighbors, type Positions } from "./csr-grid.ts";
export { loadRegions, RegionsFileInvalid } from "./load-regions.ts";
export { createMovingPoints, type MovingPoints, type PointColumns } from "./moving-points.ts";
export { createProjection, type LocalPoint, type Projection } from "./projection.ts";
export { type Region, type RegionMarket, type Regions } from "./regions.ts";
export { marketsWithinReach, partitionsWithinReach } from "./takeover-reach.ts";
