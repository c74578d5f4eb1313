/** What handlers take from a call besides its message: who calls, in which role, and what the effects are traced to. */
import type { HandlerContext } from "@connectrpc/connect";
import { apiError, type Caller, callerOf, type Role } from "@ridegrid/rpc";
import type { Cause } from "./change.ts";

/** The edge checks roles; the single writer does not rest on that. @throws ROLE_NOT_ALLOWED. */
export function callerAs(context: HandlerContext, role: Role): Caller {
  const caller = callerOf(context);
  if (caller.role !== role) throw apiError("ROLE_NOT_ALLOWED", `Cannot call ${context.method.name} as "${caller.role}": it takes "${role}"`);
  return caller;
}

export function causeOf(context: HandlerContext, requestId: string): Cause {
  return { correlationId: requestId.toLowerCase(), causationId: "", traceparent: context.requestHeader.get("traceparent") ?? "" };
}

/** Ids are compared as text in the domain and as uuid in the database: one spelling for both. */
export function lower(uuid: string): string {
  return uuid.toLowerCase();
}

export function given<T>(value: T | undefined, field: string): T {
  if (value === undefined) throw apiError("FIELD_INVALID", `Field "${field}" is required`, { field });
  return value;
}
