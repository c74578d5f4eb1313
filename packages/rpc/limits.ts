/** Bounds of calls between processes and of bodies from outside. */

/** A unary call inside the platform that brings no deadline of its own is given up after this. */
export const internalCallTimeoutMs = 5_000;
/** A unary call from outside without a deadline gets this one. Longer than an internal call, so that its failure can still be told. */
export const edgeCallTimeoutMs = 10_000;
/** How often calls without a deadline of their own are looked at for the server's. */
export const deadlineTickMs = 100;
/** Durations of calls that wait to be written down. */
export const callSamplesMax = 256;
/** Whoever is told OVERLOADED comes back after this and a random part of the spread. */
export const overloadDelayMinMs = 1_000;
export const overloadDelaySpreadMs = 1_000;
/** The furthest a timer can count. */
export const timerMaxMs = 2 ** 31 - 1;
/** A message from outside, before and after decompression. */
export const edgeBodyBytesMax = 1_048_576;
/** What a plain call's answer may have and still be written by the short way. */
export const plainAnswerBytesMax = 65_536;
/** How much of an oversize body is read off, so that its sender reads the answer; beyond it the connection is cut. */
export const oversizeDrainBytesMax = 64 * edgeBodyBytesMax;
/** A message between services: snapshots of a partition's open work are the largest. */
export const internalMessageBytesMax = 64 * 1_048_576;
/** An HTTP/2 connection that does not answer a ping for this long is dead; 3 s cut live ones on a machine with ten times the work it has cores for. */
export const pingTimeoutMs = 10_000;
export const pingIntervalMs = 5_000;
export const idleConnectionTimeoutMs = 15 * 60_000;
/** How long a listener waits for calls in flight when it closes. */
export const listenerDrainMs = 5_000;
/** How often a health watcher looks for a change. */
export const healthWatchIntervalMs = 1_000;

/** How often a process asks which region serves which, and how long it waits: what a takeover takes to be noticed. */
export const servingPollMs = 1_000;
export const servingPollTimeoutMs = 2_000;

if (edgeCallTimeoutMs <= internalCallTimeoutMs) throw new Error("edgeCallTimeoutMs must exceed internalCallTimeoutMs");
if (edgeBodyBytesMax > internalMessageBytesMax) throw new Error("edgeBodyBytesMax must not exceed internalMessageBytesMax");
