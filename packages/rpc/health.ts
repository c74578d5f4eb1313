/** The standard gRPC health service over the readiness of whoever hosts it. */
import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import { Health, HealthCheckResponse_ServingStatus as Status } from "@ridegrid/contracts/gen/grpc/health/v1/health_pb";
import { healthWatchIntervalMs } from "./limits.ts";
import { apiError } from "./refusal-error.ts";

export type HealthOptions = {
  /** Fully qualified; the empty name, the whole server, is always known. */
  readonly services: readonly string[];
  readonly isServing: () => boolean;
};

export function registerHealth(router: ConnectRouter, { services, isServing }: HealthOptions): void {
  const statusOf = (service: string): Status => {
    if (service !== "" && !services.includes(service)) return Status.SERVICE_UNKNOWN;
    return isServing() ? Status.SERVING : Status.NOT_SERVING;
  };
  router.service(Health, {
    check: ({ service }) => {
      const status = statusOf(service);
      if (status === Status.SERVICE_UNKNOWN) throw apiError("SERVICE_NOT_FOUND", `There is no service "${service}" here`);
      return { status };
    },
    watch: ({ service }, context) => watch(() => statusOf(service), context),
  });
}

async function* watch(status: () => Status, { signal }: HandlerContext): AsyncIterable<{ readonly status: Status }> {
  let last: Status | undefined;
  while (!signal.aborted) {
    const now = status();
    if (now !== last) yield { status: now };
    last = now;
    await pause(healthWatchIntervalMs, signal);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}
