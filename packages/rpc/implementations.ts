/**
 * The implementations that routes register, by request path, beside the handlers that the library makes of them.
 *
 * A method registered with options of its own is left out: only its handler knows them.
 */
import { type ConnectRouter, createMethodImplSpec, createServiceImplSpec, type MethodImplSpec } from "@connectrpc/connect";
import { createMethodUrl } from "@connectrpc/connect/protocol";
import type { Routes } from "./in-memory.ts";

export type UnaryImplementation = Extract<MethodImplSpec, { readonly kind: "unary" }>;

/** Registers `routes` with `router` and answers with their unary implementations. */
export function unaryImplementations(routes: Routes, router: ConnectRouter): ReadonlyMap<string, UnaryImplementation> {
  const found = new Map<string, UnaryImplementation>();
  const keep = (spec: MethodImplSpec): void => {
    if (spec.kind === "unary") found.set(createMethodUrl("/", spec.method), spec);
  };
  const recorder: ConnectRouter = {
    handlers: router.handlers,
    service(service, implementation, options) {
      router.service(service, implementation, options);
      if (options === undefined) Object.values(createServiceImplSpec(service, implementation).methods).forEach(keep);
      return recorder;
    },
    rpc(method, implementation, options) {
      router.rpc(method, implementation, options);
      if (options === undefined) keep(createMethodImplSpec(method, implementation));
      return recorder;
    },
  };
  routes(recorder);
  return found;
}
