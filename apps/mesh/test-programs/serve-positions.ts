/**
 * A gateway, a telemetry-ingest or both as `start` makes them, in a process of its own that says what it uses.
 * Arguments: one JSON object, `ServePositionsOptions`.
 */
import { meshLogger, hostProcess } from "../host-process.ts";
import { answerUsage } from "../measured-program.fixture.ts";
import type { ServePositionsOptions } from "../positions-platform.fixture.ts";
import { defaultRegionsFile, readRegionsFile } from "../regions-file.ts";

const options: ServePositionsOptions = JSON.parse(process.argv[2] ?? "{}");
const { secrets, ports, brokers } = options;
const host = await hostProcess({
  serviceName: "positions-bench",
  logger: meshLogger("json", "error"),
  tracing: undefined,
  targets: options.apps.map((app) => ({ app, region: "ewr" })),
  regions: readRegionsFile(defaultRegionsFile),
  databaseUrl: undefined,
  logDatabaseUrl: () => options.logDatabaseUrl,
  kafka: () => (brokers.length === 0 ? undefined : { brokers, replicas: 1 }),
  identity: { kind: "development", issuerJwk: secrets.issuerJwk },
  pinSecret: secrets.pinSecret,
  meshToken: secrets.meshToken,
  host: "127.0.0.1",
  gatewayPorts: () => ({ http: ports.http, grpc: ports.grpc }),
  internalPort: options.apps.includes("telemetry-ingest") ? ports.ingest : undefined,
  metricsPort: undefined,
  peer: (service) => `http://127.0.0.1:${service === "ingest" ? ports.ingest : ports.coordinator}`,
  edge: { redis: undefined, clientAddressHeader: undefined, capacity: undefined },
  production: false,
});
await host.start();
await answerUsage({ port: ports.http, grpcPort: ports.grpc });
await host.stop();
process.exit();
