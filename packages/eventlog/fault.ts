/**
 * Which failures pass by themselves: the network, the server coming or going, a lost race for locks or connections.
 *
 * Everything else fails again when tried again. The list errs on the side of waiting: a fault of the database is never
 * taken for a poisoned record.
 */
const transientSqlStates: ReadonlySet<string> = new Set([
  "08", // connection exception
  "40", // serialization failure, deadlock
  "53", // insufficient resources
  "55", // object not in prerequisite state: lock_timeout, a database closed to connections
  "57", // operator intervention: shutdown, cancel, statement timeout
  "58", // system error
  "25", // invalid transaction state: 25P03 ends a sleeper's session
]);

/** Of an ended wait, and of a remote call: a service that answers no is a value to its caller, not an exception here. */
const passingNames: ReadonlySet<string> = new Set(["DeadlineExceeded", "TimeoutError", "AbortError", "ConnectError"]);

export function isTransientFault(error: unknown): boolean {
  for (let fault = error, depth = 0; fault instanceof Error && depth < 8; fault = fault.cause, depth++) {
    const code = "code" in fault && typeof fault.code === "string" ? fault.code : "";
    if (/^[0-9A-Z]{5}$/.test(code) ? transientSqlStates.has(code.slice(0, 2)) : isNetworkCode(code)) return true;
    if (passingNames.has(fault.name)) return true;
  }
  return false;
}

/** postgres.js (`CONNECTION_CLOSED`, `CONNECT_TIMEOUT`) and Node (`ECONNREFUSED`, `EPIPE`). */
function isNetworkCode(code: string): boolean {
  return code.startsWith("CONNECT") || /^E[A-Z]+$/.test(code);
}
