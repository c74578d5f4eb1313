/**
 * How much this gateway takes at once. Riders' and drivers' calls share its capacity; positions have a bound of their
 * own, and operators come in when everybody else is refused.
 */
import type { DescMethod } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import type { Clock, Random } from "@ridegrid/domain";
import { DriverService, RiderService } from "@ridegrid/contracts";
import { type CallLayer, type Capacity, createCapacity, methodName } from "@ridegrid/rpc";
import { callsInFlightMax, streamsOpenMax } from "./limits.ts";
import { methodCost } from "./method-costs.ts";

export type AdmissionControlDeps = { readonly clock: Clock; readonly random: Random; readonly requestsPerSecond: number | undefined };

export interface AdmissionControl {
  /** Before anything is done for the call. @throws OVERLOADED above the rate. */
  admit(context: HandlerContext): void;
  /** Holds a place while a call is worked on or a stream is open. */
  readonly layer: CallLayer;
}

export function createAdmissionControl({ requestsPerSecond, ...deps }: AdmissionControlDeps): AdmissionControl {
  const calls = createCapacity({ ...deps, requestsPerSecond, inFlightMax: callsInFlightMax });
  const streams = createCapacity({ ...deps, requestsPerSecond: undefined, inFlightMax: streamsOpenMax });
  const placesOf = (method: DescMethod): Capacity | undefined => {
    const kind = kindOf(method);
    return kind === undefined ? undefined : kind === "call" ? calls : streams;
  };
  return {
    admit(context) {
      if (kindOf(context.method) === "call") calls.admit();
    },
    layer: {
      unary({ method }) {
        return placesOf(method)?.enter();
      },
      stream: (next) => (request) => {
        const places = placesOf(request.method);
        // A stream goes on after its handler has returned; its signal ends with it.
        if (places !== undefined) request.signal.addEventListener("abort", places.enter(), { once: true });
        return next(request);
      },
    },
  };
}

const counted: ReadonlySet<string> = new Set([RiderService.typeName, DriverService.typeName]);

function kindOf(method: DescMethod): "call" | "stream" | undefined {
  const { bucket } = methodCost(methodName(method));
  if (bucket === "streams") return "stream";
  return bucket === "calls" && counted.has(method.parent.typeName) ? "call" : undefined;
}
