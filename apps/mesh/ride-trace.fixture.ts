/** What a ride's trace must show, wherever its spans were seen: each step in the rider's trace, or linked to it. */
import type { SeenSpan } from "@ridegrid/testing";

const server = 1;
const client = 2;
const producer = 3;
const consumer = 4;

type Step = { readonly name: string; readonly kind: number; readonly attributes?: Readonly<Record<string, unknown>> };

const rider = "ridegrid.rider.v1.RiderService/RequestRide";
const command = "ridegrid.mesh.v1.CoordinatorService/RequestRide";
const accept = "ridegrid.driver.v1.DriverService/AcceptOffer";

/** In the order in which they come about. */
const steps: readonly Step[] = [
  { name: rider, kind: server },
  { name: command, kind: client },
  { name: command, kind: server },
  { name: "send ewr.ride-events.v1", kind: producer },
  { name: "process ewr.ride-events.v1", kind: consumer, attributes: { "messaging.consumer.group.name": "matching-worker" } },
  { name: "process ewr.ride-events.v1", kind: consumer, attributes: { "messaging.consumer.group.name": "state-query" } },
  { name: "matching tick", kind: 0 },
  { name: "propose offer", kind: producer },
  { name: "send ewr.match-proposals.v1", kind: producer },
  { name: "process ewr.match-proposals.v1", kind: consumer, attributes: { "messaging.consumer.group.name": "assignment-coordinator" } },
  { name: "send ewr.driver-events.v1", kind: producer },
  { name: "process ewr.driver-events.v1", kind: consumer, attributes: { "messaging.consumer.group.name": "state-query" } },
];

/** The steps that are missing, in words; empty when all are there. */
export function missingFromTrace(spans: readonly SeenSpan[]): readonly string[] {
  const root = spans.find((span) => fits(span, { name: rider, kind: server, attributes: { "rpc.status_code": "ok" } }));
  if (root === undefined) return [rider];
  const ofRide = spans.filter((span) => belongs(span, root.traceId));
  return [
    ...steps.filter((step) => !ofRide.some((span) => fits(span, step))).map(({ name, kind }) => `${name} (kind ${kind})`),
    ...(acceptIsLinked(spans, root.traceId) ? [] : [`a link from the trace of ${accept}`]),
  ];
}

/** Parents as they must be: each span's own name with its parent's. */
export function parentsIn(spans: readonly SeenSpan[]): ReadonlySet<string> {
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  return new Set(
    spans.flatMap((span) => {
      const parent = byId.get(span.parentSpanId);
      return parent?.traceId === span.traceId ? [`${span.name} < ${parent.name}`] : [];
    }),
  );
}

export const expectedParents: readonly string[] = [`${command} < ${rider}`, `${command} < ${command}`, `propose offer < ${command}`];

function belongs({ traceId, links }: SeenSpan, wanted: string): boolean {
  return traceId === wanted || links.some((link) => link.traceId === wanted);
}

function fits(span: SeenSpan, { name, kind, attributes = {} }: Step): boolean {
  return span.name === name && span.kind === kind && Object.entries(attributes).every(([key, value]) => span.attributes[key] === value);
}

/** The driver's accept is an act of its own, in a trace that knows the ride's: from the command itself, and from what matching made of it. */
function acceptIsLinked(spans: readonly SeenSpan[], rideTrace: string): boolean {
  const accepted = spans.find((span) => span.name === accept && span.kind === server);
  if (accepted === undefined) return false;
  const linked = (name: string): boolean =>
    spans.some((span) => span.name === name && belongs(span, accepted.traceId) && span.links.some((link) => link.traceId === rideTrace));
  return linked("ridegrid.mesh.v1.CoordinatorService/AcceptOffer") && linked("process ewr.ride-events.v1");
}
