/** Bounds of the regions file and of the moving-point index. */

export const regionsMax = 64;

/** The topics' partition count, of which the contract's catalogue is the source; a market has a partition of its own. */
export const partitionsPerRegion = 8;

/** A finer cover of a city is tens of thousands of cells for a border nobody can see. */
export const coverResolutionMax = 9;

/** Cell edge over the points' mean spacing: the best of 0.7 to 4 measured for k = 16 (design notes on dispatch). */
export const cellEdgePerSpacing = 1.4;

/** Below this the cells of a handful of points standing together would be smaller than a position's accuracy. */
export const cellEdgeMinMeters = 20;

/** Cells a point at most: an elongated bounding box must not make more cells than points are worth scanning for. */
export const cellsPerPointMax = 4;

/** About 220 m of latitude: one square in twenty of a market's lies in more than one cell. */
export const squaresPerDegree = 500;
/** Squares whose cell is remembered; a large city has about 20,000. About 100 bytes each. */
export const cellSquaresMax = 200_000;

/** Points looked at for where the grid's cells should lie. */
export const boxSampleMax = 2_048;
