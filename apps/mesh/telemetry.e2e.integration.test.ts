/** One ride through every app of a process, seen as its operators see it: in traces, logs and metrics. */
import { expect, test } from "bun:test";
import { createLogger } from "@ridegrid/runtime";
import { eventually, type SeenSpan, startOtlpReceiver, startTestTracing } from "@ridegrid/testing";
import { startPlatform } from "./platform.fixture.ts";
import { plantedPeople, rideOfPlanted, secretsIn } from "./planted-secrets.fixture.ts";
import { newYork, rideByHand } from "./ride-by-hand.fixture.ts";
import { expectedParents, missingFromTrace, parentsIn } from "./ride-trace.fixture.ts";

/** Wide: a platform shares its machine with other tests. */
const timeoutMs = 120_000;
const stepsTimeoutMs = 30_000;

/** Waits until every step was exported; answers what is missing in the end. */
async function missingAtLast(spans: () => readonly SeenSpan[], flush: () => Promise<void>): Promise<readonly string[]> {
  let missing: readonly string[] = [];
  const complete = async (): Promise<boolean> => {
    await flush();
    missing = missingFromTrace(spans());
    return missing.length === 0;
  };
  await eventually(complete, { timeoutMs: stepsTimeoutMs, what: "every step in the trace" }).catch(() => {});
  return missing;
}

test(
  "a ride is one trace from the rider's request to the offer, and the driver's accept is linked to it",
  async () => {
    const tracing = await startTestTracing();
    const platform = await startPlatform({ logger: createLogger({ format: "json", level: "silent" }), tracing });
    try {
      await rideByHand(platform.url, newYork, { rider: "r-trace", driver: "d-trace" });
      expect(await missingAtLast(tracing.spans, tracing.flush)).toEqual([]);
      const parents = parentsIn(tracing.spans());
      expect(expectedParents.filter((pair) => !parents.has(pair))).toEqual([]);
      // What comes every second makes no spans: positions, and the platform's own probes.
      expect(tracing.spans().filter((span) => /Position|Now$|LocateDriver|telemetry\.v1/.test(span.name))).toEqual([]);
    } finally {
      await platform.stop();
    }
  },
  timeoutMs,
);

const promisedMetrics = [
  'rpc_server_call_duration_seconds_bucket{rpc_method="ridegrid.rider.v1.RiderService/RequestRide",rpc_status_code="ok",le="0.001"}',
  'rpc_server_call_duration_seconds_bucket{rpc_method="ridegrid.rider.v1.RiderService/RequestRide",rpc_status_code="ok",le="10"}',
  'rpc_server_call_duration_seconds_count{rpc_method="ridegrid.mesh.v1.CoordinatorService/AcceptOffer",rpc_status_code="ok"}',
  'rpc_server_call_duration_seconds_count{rpc_method="ridegrid.rider.v1.RiderService/GetRide",rpc_status_code="unauthenticated"}',
  'messaging_client_operation_duration_seconds_count{messaging_operation_name="send",messaging_destination_name="ewr.ride-events.v1"}',
  'messaging_process_duration_seconds_count{messaging_destination_name="ewr.match-proposals.v1",messaging_consumer_group_name="assignment-coordinator"}',
  'matching_duration_seconds_bucket{region="ewr",market="nyc",le="0.0005"}',
  'matching_duration_seconds_bucket{region="ewr",market="nyc",le="1"}',
  "kafka_consumer_lag{",
  "invariant_violations 0",
  'outbox_rows{writer="assignment-coordinator",region="ewr"} 0',
  'outbox_oldest_age_ms{writer="assignment-coordinator",region="ewr"} 0',
  "telemetry_positions_total{",
  'rpc_server_open_streams{rpc_method="ridegrid.rider.v1.RiderService/WatchRide"}',
];

test(
  "a whole ride and its failures put no token, PIN, name, plate or precise place into logs, exported spans or metrics",
  async () => {
    const lines: string[] = [];
    const receiver = startOtlpReceiver();
    const collector = { endpoint: receiver.endpoint, headers: { "x-tenant": "ridegrid" }, sampler: "always_on", samplerRatio: 1 } as const;
    const logger = createLogger({ format: "json", level: "trace", write: (line) => void lines.push(line) });
    const platform = await startPlatform({ logger, tracing: collector });
    let metrics = "";
    let planted: Awaited<ReturnType<typeof rideOfPlanted>> | undefined;
    try {
      planted = await rideOfPlanted(platform.url);
      expect(await missingAtLast(receiver.spans, async () => {})).toEqual([]);
      await eventually(async () => /outbox_rows\{writer="assignment-coordinator",region="ewr"\} 0/.test((metrics = await metricsOf(platform.url))), {
        timeoutMs: stepsTimeoutMs,
        what: "a measured outbox",
      });
    } finally {
      await platform.stop();
      await receiver.stop();
    }
    expect(promisedMetrics.filter((line) => !metrics.includes(line))).toEqual([]);
    // Labels are bounded: nobody's id is in one.
    expect(metrics).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/);
    expect(receiver.headers.every((headers) => headers.get("x-tenant") === "ridegrid")).toBe(true);
    // The fence must have something to hold back: lines at every level, and hundreds of spans.
    expect(lines.length).toBeGreaterThan(5);
    expect(receiver.spans().length).toBeGreaterThan(50);
    const seen = { logs: lines.join(""), spans: receiver.raw(), metrics };
    expect(secretsIn(seen, [...plantedPeople, ...planted.secrets])).toEqual([]);
    expect(planted.pinLeaks({ lines, spans: receiver.spans(), metrics })).toEqual([]);
  },
  timeoutMs,
);

async function metricsOf(url: string): Promise<string> {
  return await (await fetch(`${url}/metrics`)).text();
}
