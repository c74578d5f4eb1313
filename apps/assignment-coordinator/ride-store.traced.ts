/**
 * A ride store whose answers to offers are linked to the trace that proposed the offer: a driver's accept is a trace of
 * its own, and knows the ride's. Nobody traces: nothing is read.
 */
import { propagation, ROOT_CONTEXT, type Span, trace } from "@opentelemetry/api";
import type { OfferId } from "@ridegrid/domain";
import type { RideStore } from "./ride-store.ts";

/** Answers an offer's `traceparent`; empty when there is none. */
export type TraceOfOffer = (offerId: OfferId) => Promise<string>;

export function tracedRideStore(store: RideStore, traceOfOffer: TraceOfOffer): RideStore {
  return {
    ...store,
    async changeRide(work) {
      const span = trace.getActiveSpan();
      if (span?.isRecording() !== true || work.target.kind !== "offer") return await store.changeRide(work);
      // Beside the command, and never a reason for it to fail.
      const linked = traceOfOffer(work.target.offerId).then(
        (traceparent) => link(span, traceparent),
        () => {},
      );
      const outcome = await store.changeRide(work);
      await linked;
      return outcome;
    },
  };
}

function link(span: Span, traceparent: string): void {
  const origin = traceparent === "" ? undefined : trace.getSpanContext(propagation.extract(ROOT_CONTEXT, { traceparent }));
  if (origin !== undefined) span.addLink({ context: origin });
}
