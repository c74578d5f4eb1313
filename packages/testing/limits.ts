/** The bounds of waiting in tests. */

/** Long enough for two busy cores; a condition that is met ends the wait at once. */
export const eventuallyTimeoutMs = 10_000;
export const eventuallyPollMs = 10;
/** A test's pool: small, because many files share one server. */
export const testPoolSizeDefault = 4;
/** Test files run side by side, each with several pools. */
export const testServerConnectionsMax = 300;
/** Positions in one record of a made-up fleet: as many as ingest puts into one. */
export const fleetRowsPerRecordMax = 2_000;
/** Below what Linux (32,768) and others (49,152) hand out by themselves, and above what the mesh listens on. */
export const fixedPortMin = 12_000;
export const fixedPorts = 20_000;
