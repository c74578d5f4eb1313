/**
 * How much this gateway takes at once. Riders' and drivers' calls share its capacity; positions have a bound of their
 * own, and operators come in when everybody else is refused.
 */
import type { DescMethod } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import type { Clock, Random } from "@ridegrid/domain";
import { DriverService, OpsService, RiderService } from "@ridegrid/contracts";
import { type CallLayer, type Capacity, createCapacity } from "@ridegrid/rpc";
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
  const places = new Map<DescMethod, Capacity>();
  for (const method of [RiderService, DriverService, OpsService].flatMap((service) => service.methods)) {
    const { bucket } = methodCost(method);
    if (bucket === "streams") places.set(method, streams);
    else if (bucket === "calls" && method.parent !== OpsService) places.set(method, calls);
  }
  return {
    admit(context) {
      if (places.get(context.method) === calls) calls.admit();
    },
    layer: {
      unary({ method }) {
        return places.get(method)?.enter();
      },
      stream: (next) => (request) => {
        const capacity = places.get(request.method);
        // A stream goes on after its handler has returned; its signal ends with it.
        if (capacity !== undefined) request.signal.addEventListener("abort", capacity.enter(), { once: true });
        return next(request);
      },
    },
  };
}
