/** How long calls take and how they end, by the names of the OpenTelemetry conventions. Labels are methods and codes only. */
import { Code, ConnectError } from "@connectrpc/connect";
import type { Meter } from "@opentelemetry/api";
import type { CallLayer } from "./call-layer.ts";
import { callSamplesMax } from "./limits.ts";
import { methodName } from "./method-name.ts";

export interface CallMetrics {
  /** `status` is a Connect code in its wire spelling, or "ok". */
  record(method: string, status: string, seconds: number): void;
  /** Counts a stream until what is returned is called. */
  streamOpened(method: string): () => void;
}

export function createCallMetrics(meter: Meter): CallMetrics {
  const duration = meter.createHistogram("rpc.server.call.duration", {
    unit: "s",
    description: "Duration of calls; of a stream, until its first answer",
    advice: { explicitBucketBoundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] },
  });
  const samples = createCallSamples((method, status, seconds) => duration.record(seconds, { "rpc.method": method, "rpc.status_code": status }));
  const open = new Map<string, number>();
  meter.createObservableUpDownCounter("rpc.server.open_streams", { description: "Streams that are being answered" }).addCallback((result) => {
    // Whoever collects asks this first, and histograms afterwards.
    samples.writeDown();
    for (const [method, count] of open) result.observe(count, { "rpc.method": method });
  });
  const count = (method: string, difference: number): void => void open.set(method, (open.get(method) ?? 0) + difference);
  return {
    record: samples.add,
    streamOpened(method) {
      count(method, 1);
      return () => count(method, -1);
    },
  };
}

/** Durations wait here and are written down together: one at a time, in the midst of a call, each would cost five times as much. */
function createCallSamples(write: CallMetrics["record"]): { readonly add: CallMetrics["record"]; writeDown(): void } {
  const methods: string[] = [];
  const statuses: string[] = [];
  const seconds: number[] = [];
  function writeDown(): void {
    for (const [index, each] of seconds.entries()) write(methods[index] ?? "", statuses[index] ?? "", each);
    methods.length = statuses.length = seconds.length = 0;
  }
  return {
    add(method, status, each) {
      methods.push(method);
      statuses.push(status);
      if (seconds.push(each) >= callSamplesMax) writeDown();
    },
    writeDown,
  };
}

/** Outside of the error mapping: it sees errors as the caller will. */
export function callMeasuring(metrics: CallMetrics): CallLayer {
  return {
    unary() {
      const startMs = performance.now();
      return (failure, { method }) => {
        const status = failure === undefined ? "ok" : statusOf(failure.error);
        metrics.record(methodName(method), status, (performance.now() - startMs) / 1_000);
      };
    },
    stream: (next) => async (request) => {
      const method = methodName(request.method);
      const startMs = performance.now();
      const record = (status: string): void => metrics.record(method, status, (performance.now() - startMs) / 1_000);
      try {
        const response = await next(request);
        record("ok");
        return { ...response, message: counted(response.message, () => metrics.streamOpened(method)) };
      } catch (error) {
        record(statusOf(error));
        throw error;
      }
    },
  };
}

function statusOf(error: unknown): string {
  return error instanceof ConnectError ? codeName(error.code) : "internal";
}

/** A code in its wire spelling, such as "not_found". */
export function codeName(code: Code): string {
  return (Code[code] ?? "unknown").replaceAll(/(?<=[a-z])[A-Z]/g, "_$&").toLowerCase();
}

/** Counted from the first read on: what is never read is never closed either. */
async function* counted<T>(messages: AsyncIterable<T>, opened: () => () => void): AsyncIterable<T> {
  const closed = opened();
  try {
    yield* messages;
  } finally {
    closed();
  }
}
