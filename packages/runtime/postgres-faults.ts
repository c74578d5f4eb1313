/** Tells what a failed query means for whoever asked: the server is away, or the transaction may simply run again. */

const connectionCodes: ReadonlySet<string> = new Set([
  "CONNECTION_CLOSED",
  "CONNECTION_DESTROYED",
  "CONNECTION_ENDED",
  "CONNECT_TIMEOUT",
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
]);

/** Shutting down, starting up, too many connections, database closed to connections. */
const unavailableStates: ReadonlySet<string> = new Set(["57P01", "57P02", "57P03", "53300", "55000", "3D000"]);

/** True when the answer to a caller is `unavailable`. Whether a COMMIT in flight took place is then unknown. */
export function isPostgresAway(error: unknown): boolean {
  const code = codeOf(error);
  return code !== undefined && (connectionCodes.has(code) || unavailableStates.has(code) || code.startsWith("08"));
}

/** A serialization failure or a deadlock: nothing was changed, the same transaction may be run again. */
export function isTransactionConflict(error: unknown): boolean {
  const code = codeOf(error);
  return code === "40001" || code === "40P01";
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
