/**
 * How much this gateway takes at once. Riders' and drivers' calls share its capacity; positions have a bound of their
 * own, and operators come in when everybody else is refused.
 */
import type { HandlerContext, Interceptor } from "@connectrpc/connect";
import type { Clock, Random } from "@ridegrid/domain";
import { DriverService, RiderService } from "@ridegrid/contracts";
import { createCapacity } from "@ridegrid/rpc";
import { callsInFlightMax, streamsOpenMax } from "./limits.ts";
import { methodCost } from "./method-costs.ts";

export type AdmissionControlDeps = { readonly clock: Clock; readonly random: Random; readonly requestsPerSecond: number | undefined };

export interface AdmissionControl {
  /** Before anything is done for the call. @throws OVERLOADED above the rate. */
  admit(context: HandlerContext): void;
  /** Holds a place while a call is worked on or a stream is open. */
  readonly interceptor: Interceptor;
}

type Call = { readonly service: { readonly typeName: string }; readonly method: { readonly name: string } };

export function createAdmissionControl({ requestsPerSecond, ...deps }: AdmissionControlDeps): AdmissionControl {
  const calls = createCapacity({ ...deps, requestsPerSecond, inFlightMax: callsInFlightMax });
  const streams = createCapacity({ ...deps, requestsPerSecond: undefined, inFlightMax: streamsOpenMax });
  return {
    admit(context) {
      if (kindOf(context) === "call") calls.admit();
    },
    interceptor: (next) => async (request) => {
      const kind = kindOf(request);
      if (kind === undefined) return next(request);
      const leave = (kind === "call" ? calls : streams).enter();
      // A stream goes on after its handler has returned; the signal of either ends with it.
      if (request.stream) {
        request.signal.addEventListener("abort", leave, { once: true });
        return next(request);
      }
      try {
        return await next(request);
      } finally {
        leave();
      }
    },
  };
}

const counted: ReadonlySet<string> = new Set([RiderService.typeName, DriverService.typeName]);

function kindOf({ service, method }: Call): "call" | "stream" | undefined {
  const { bucket } = methodCost(`${service.typeName}/${method.name}`);
  if (bucket === "streams") return "stream";
  return bucket === "calls" && counted.has(service.typeName) ? "call" : undefined;
}
