/**
 * Who calls: the principal and role of a verified token, carried in the call's context inside a process and as
 * metadata between RideGrid's own services.
 */
import { type CallOptions, type ContextKey, createContextKey, type HandlerContext } from "@connectrpc/connect";

export type Role = "rider" | "driver" | "operator" | "viewer" | "service";

/** `principal` is the token's subject. A service that acts on its own is its process's name with the role "service". */
export type Caller = { readonly principal: string; readonly role: Role };

export const callerKey: ContextKey<Caller | undefined> = createContextKey<Caller | undefined>(undefined, { description: "verified caller" });

export const callerHeaders = { principal: "ridegrid-principal", role: "ridegrid-role" } as const;

/** @throws when no interceptor verified a caller: a broken invariant, not a refusal. */
export function callerOf(context: HandlerContext): Caller {
  const caller = context.values.get(callerKey);
  if (caller === undefined) throw new Error(`No verified caller on ${context.method.name}`);
  return caller;
}

/** Options for a call made on behalf of `context`'s caller: principal, trace, remaining deadline and cancellation go along. */
export function onBehalfOf(context: HandlerContext, caller: Caller = callerOf(context)): CallOptions {
  const headers = new Headers({ [callerHeaders.principal]: encodeURIComponent(caller.principal), [callerHeaders.role]: caller.role });
  const traceparent = context.requestHeader.get("traceparent");
  if (traceparent !== null) headers.set("traceparent", traceparent);
  const timeoutMs = context.timeoutMs();
  return { headers, signal: context.signal, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
}

/** Options for a call that a service makes on its own. */
export function asService(name: string, options: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {}): CallOptions {
  return { headers: { [callerHeaders.principal]: encodeURIComponent(name), [callerHeaders.role]: "service" }, ...options };
}
