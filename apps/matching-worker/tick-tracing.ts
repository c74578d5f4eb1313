/**
 * The spans of a tick that proposes something: one for the tick, linked to each ride's trace, and one `propose` inside
 * each ride's trace, which the proposal carries on to the coordinator. A tick without proposals makes none.
 */
import { isSpanContextValid, type Link, propagation, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace, type Tracer } from "@opentelemetry/api";
import { tickLinksMax } from "./limits.ts";
import type { PlannedProposal } from "./plan-tick.ts";
import type { RideTraces } from "./ride-traces.ts";

export interface TickTracing {
  begin(proposals: readonly PlannedProposal[]): TickTrace;
}

interface TickTrace {
  /** What the ride's proposal is to carry as `traceparent`; empty when its trace is unknown. */
  of(rideId: string): string;
  end(outcome: "stored" | "fenced" | "failed"): void;
}

export type TickTracingOptions = { readonly tracer: Tracer; readonly traces: RideTraces; readonly region: string; readonly market: string };

export function createTickTracing({ tracer, traces, region, market }: TickTracingOptions): TickTracing {
  const place = { "ridegrid.region": region, "ridegrid.market": market };

  function startTick(proposals: readonly PlannedProposal[]): Span | undefined {
    if (propagation.fields().length === 0) return undefined;
    const links = proposals.slice(0, tickLinksMax).flatMap(({ rideId }) => linkTo(traces.of(rideId)));
    const span = tracer.startSpan(
      "matching tick",
      { kind: SpanKind.INTERNAL, links, attributes: { ...place, "ridegrid.proposals": proposals.length } },
      ROOT_CONTEXT,
    );
    return isSpanContextValid(span.spanContext()) ? span : undefined;
  }

  return {
    begin(proposals) {
      const tick = startTick(proposals);
      if (tick === undefined) return { of: (rideId) => traces.of(rideId), end: () => {} };
      const inside = new Map(proposals.map(({ rideId, kind }) => [rideId, propose(tick, rideId, kind)] as const));
      return {
        of: (rideId) => traceparentOf(inside.get(rideId)),
        end(outcome) {
          for (const span of [...inside.values(), tick]) {
            span?.setAttribute("ridegrid.outcome", outcome);
            if (outcome === "failed") span?.setStatus({ code: SpanStatusCode.ERROR });
            span?.end();
          }
        },
      };
    },
  };

  function propose(tick: Span, rideId: string, kind: PlannedProposal["kind"]): Span | undefined {
    const origin = traces.of(rideId);
    if (origin === "") return undefined;
    const attributes = { ...place, "ridegrid.ride_id": rideId, "ridegrid.proposal": kind };
    return tracer.startSpan(`propose ${kind}`, { kind: SpanKind.PRODUCER, attributes, links: [{ context: tick.spanContext() }] }, remote(origin));
  }
}

function remote(traceparent: string) {
  return propagation.extract(ROOT_CONTEXT, { traceparent });
}

function linkTo(traceparent: string): readonly Link[] {
  const linked = traceparent === "" ? undefined : trace.getSpanContext(remote(traceparent));
  return linked === undefined ? [] : [{ context: linked }];
}

function traceparentOf(span: Span | undefined): string {
  if (span === undefined) return "";
  const carrier: Record<string, string> = {};
  propagation.inject(trace.setSpan(ROOT_CONTEXT, span), carrier);
  return carrier["traceparent"] ?? "";
}
