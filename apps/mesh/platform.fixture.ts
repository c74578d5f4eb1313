/** Every app of one region, or of all, in the test's own process, on databases of its own: what a mesh in one process is, without its Postgres and its city. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Logger, Tracing, TracingConfig } from "@ridegrid/runtime";
import { createTestDatabase, eventually, freePort } from "@ridegrid/testing";
import { allTargets } from "./app-target.ts";
import { hostProcess } from "./host-process.ts";
import { preparePlatform } from "./prepare-databases.ts";
import { defaultRegionsFile, readRegionsFile } from "./regions-file.ts";
import { ensureSecrets, type Secrets } from "./secrets.ts";

const readyTimeoutMs = 30_000;

/** `regions`: whose apps run; only "ewr" when not given. */
export type PlatformOptions = { readonly logger: Logger; readonly tracing: Tracing | TracingConfig | undefined; readonly regions?: readonly string[] };

export interface Platform {
  /** The first region's gateway. */
  readonly url: string;
  readonly grpcAddress: string;
  readonly secrets: Secrets;
  stop(): Promise<void>;
}

export async function startPlatform({ logger, tracing, regions: hosted = ["ewr"] }: PlatformOptions): Promise<Platform> {
  const regions = readRegionsFile(defaultRegionsFile);
  const directory = mkdtempSync(join(tmpdir(), "ridegrid-platform-"));
  const secrets = await ensureSecrets(directory);
  const platform = await createTestDatabase({ platform: true });
  const logs = new Map(await Promise.all(regions.all.map(async ({ id }) => [id, await createTestDatabase()] as const)));
  await preparePlatform(platform.url);
  const ports = new Map(await Promise.all(hosted.map(async (region) => [region, { http: await freePort(), grpc: await freePort() }] as const)));
  const host = await hostProcess({
    serviceName: "ridegrid-test",
    logger,
    tracing,
    targets: allTargets(hosted),
    regions,
    databaseUrl: platform.url,
    logDatabaseUrl: (region) => logs.get(region)?.url ?? "",
    kafka: () => undefined,
    identity: { kind: "development", issuerJwk: secrets.issuerJwk },
    pinSecret: secrets.pinSecret,
    meshToken: secrets.meshToken,
    host: "127.0.0.1",
    gatewayPorts: (region) => ports.get(region) ?? { http: 0, grpc: 0 },
    internalPort: undefined,
    metricsPort: undefined,
    peer: () => undefined,
    edge: { redis: undefined, clientAddressHeader: undefined, capacity: undefined },
    production: false,
  });
  await host.start();
  const unready = (): readonly string[] => host.composition.readiness().flatMap(({ name, ready, detail }) => (ready ? [] : [`${name}: ${detail}`]));
  await eventually(() => unready().length === 0, { timeoutMs: readyTimeoutMs, what: "every app to be ready" }).catch((cause: unknown) => {
    throw new Error(`The platform did not get ready: ${unready().join("; ")}`, { cause });
  });
  return {
    ...edgeOf(host.composition.gateway(hosted[0] ?? "")),
    secrets,
    async stop() {
      await host.stop();
      await Promise.all([platform, ...logs.values()].map((database) => database.drop()));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function edgeOf({ url, grpcAddress }: { readonly url: string; readonly grpcAddress: string }) {
  return { url, grpcAddress };
}
