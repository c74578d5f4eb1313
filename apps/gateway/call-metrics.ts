/** How long public calls take and how they end, by the names of the OpenTelemetry conventions. */
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import type { Meter } from "@opentelemetry/api";

export interface CallMetrics {
  /** `status` is a Connect code in its wire spelling, or "ok". */
  record(method: string, status: string, seconds: number): void;
}

export function createCallMetrics(meter: Meter): CallMetrics {
  const duration = meter.createHistogram("rpc.server.call.duration", {
    unit: "s",
    description: "Duration of public calls; of a stream, until its first answer",
  });
  return { record: (method, status, seconds) => duration.record(seconds, { "rpc.method": method, "rpc.status_code": status }) };
}

/** Outermost: it sees errors as the caller will. */
export function callMeasuring(metrics: CallMetrics): Interceptor {
  return (next) => async (request) => {
    const method = `${request.service.typeName}/${request.method.name}`;
    const startMs = performance.now();
    const record = (status: string): void => metrics.record(method, status, (performance.now() - startMs) / 1_000);
    try {
      const response = await next(request);
      record("ok");
      return response;
    } catch (error) {
      record(error instanceof ConnectError ? Code[error.code].toLowerCase() : "internal");
      throw error;
    }
  };
}
