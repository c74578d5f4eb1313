/** `redis-bridge`: Upstash's protocol in front of a plain Redis, for a deployment that has no Upstash. */
import { createUpstashBridge, type Environment, type ReadinessPart, requireVariable, readVariable } from "@ridegrid/runtime";
import { bridgeBodyBytesMax, bridgePingIntervalMs } from "./limits.ts";
import { meshLogger } from "./host-process.ts";
import { untilAskedToStop } from "./signals.ts";
import { serveStatus } from "./status-server.ts";

/** Answers the exit code. */
export async function redisBridge(environment: Environment): Promise<number> {
  const needed = { neededBy: '"redis-bridge"' };
  const host = requireVariable(environment, "RIDEGRID_HOST");
  const port = requireVariable(environment, "RIDEGRID_INTERNAL_PORT", needed);
  const bridge = createUpstashBridge({
    redisUrl: requireVariable(environment, "REDIS_URL", needed),
    token: requireVariable(environment, "UPSTASH_REDIS_REST_TOKEN", needed),
  });
  const logger = meshLogger(requireVariable(environment, "RIDEGRID_LOG_FORMAT"), requireVariable(environment, "RIDEGRID_LOG_LEVEL")).child({
    app: "redis-bridge",
  });
  const askedToStop = untilAskedToStop();
  let redis: ReadinessPart = { name: "redis", ready: false, detail: "it has not answered yet" };
  const ping = async (): Promise<void> => {
    const answer = await bridge.execute(["PING"]);
    redis = { name: "redis", ready: "result" in answer, detail: "error" in answer ? answer.error : "" };
  };
  void ping();
  const timer = setInterval(() => void ping(), bridgePingIntervalMs);
  const status = serveStatus({ host, port: readVariable(environment, "RIDEGRID_METRICS_PORT") ?? 0, metricsText: async () => "", readiness: () => [redis] });
  const server = Bun.serve({ hostname: host, port, maxRequestBodySize: bridgeBodyBytesMax, fetch: (request) => bridge.fetch(request) });
  logger.info(`Upstash's protocol on port ${server.port}`);
  logger.info(`stopping: ${await askedToStop}`);
  clearInterval(timer);
  // What is being carried out is answered; a client that keeps its connection is not waited for.
  await server.stop();
  await status.stop();
  bridge.close();
  return 0;
}
