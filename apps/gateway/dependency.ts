/**
 * One unary call to a service behind the gateway, for the caller of a public one: it has less time than the caller
 * has, so that a service that hangs is DEPENDENCY_AWAY and not the caller's own deadline.
 */
import { type CallOptions, Code, ConnectError, type HandlerContext } from "@connectrpc/connect";
import { apiError, onBehalfOf, reasonOf } from "@ridegrid/rpc";
import { dependencyTimeoutMs } from "./limits.ts";

export async function ask<T>(context: HandlerContext, call: (options: CallOptions) => Promise<T>, timeoutMs: number = dependencyTimeoutMs): Promise<T> {
  const options = onBehalfOf(context);
  const leftMs = options.timeoutMs ?? Number.POSITIVE_INFINITY;
  try {
    return await call({ ...options, timeoutMs: Math.min(leftMs, timeoutMs) });
  } catch (error) {
    if (isDeadline(error) && leftMs > timeoutMs)
      throw apiError("DEPENDENCY_AWAY", `A service behind the gateway did not answer within ${timeoutMs} ms`, {}, undefined, error);
    throw error;
  }
}

/** Whether the other side may answer if asked again, or another side may. */
export function isAway(error: unknown): boolean {
  const reason = reasonOf(error);
  if (reason === "DEPENDENCY_AWAY" || reason === "DRAINING" || reason === "OVERLOADED" || reason === "DEADLINE_EXCEEDED" || reason === "INTERNAL") return true;
  return reason === undefined && error instanceof ConnectError && (error.code === Code.Unavailable || error.code === Code.DeadlineExceeded);
}

function isDeadline(error: unknown): boolean {
  return error instanceof ConnectError && error.code === Code.DeadlineExceeded;
}
