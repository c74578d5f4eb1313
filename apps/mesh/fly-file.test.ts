/** `fly.toml`: every key in Fly's reference, every command in ours, every address a group's, every variable known. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { allTargets, serviceOfApp, targetName } from "./app-target.ts";
import { regionIds, targetsOfCommand, unknownVariables } from "./deployed-apps.fixture.ts";
import { imageEnvironment } from "./dockerfile.fixture.ts";
import { flyComplaints } from "./fly-reference.fixture.ts";
import { meshStopTimeoutMs } from "./limits.ts";
import { peerVariable, readEnvironment } from "./read-environment.ts";
import { repositoryRoot } from "./repository.fixture.ts";

type Service = { readonly processes: readonly string[]; readonly internal_port: number; readonly auto_stop_machines: string };
type Port = { readonly port: number; readonly handlers: readonly string[]; readonly http_options: unknown; readonly tls_options: unknown };
type FlyFile = {
  readonly app: string;
  readonly primary_region: string;
  readonly kill_signal: string;
  readonly kill_timeout: number;
  readonly build: { readonly dockerfile: string };
  readonly deploy: { readonly release_command: string };
  readonly processes: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  readonly http_service: Service;
  readonly services: readonly (Service & { readonly ports: readonly Port[] })[];
  readonly checks: Readonly<Record<string, { readonly port: number; readonly processes?: unknown }>>;
  readonly metrics: readonly { readonly port: number }[];
  readonly vm: readonly { readonly processes?: readonly string[] }[];
};

const text = readFileSync(join(repositoryRoot, "fly.toml"), "utf8");
const file = Bun.TOML.parse(text) as FlyFile;
/** What docs/deploy.md has an operator set by `fly secrets set`. */
const secrets = {
  DATABASE_URL: "postgres://u:p@h/ridegrid",
  KAFKA_BROKERS_EWR: "ewr.example:9092",
  KAFKA_BROKERS_LHR: "lhr.example:9092",
  KAFKA_SASL_MECHANISM: "SCRAM-SHA-256",
  KAFKA_SASL_USERNAME: "u",
  KAFKA_SASL_PASSWORD: "p",
  RIDEGRID_JWKS_URL: "https://issuer.example/jwks.json",
  RIDEGRID_JWT_ISSUER: "https://issuer.example",
  RIDEGRID_JWT_AUDIENCE: "ridegrid",
  RIDEGRID_PIN_SECRET: "pin",
  RIDEGRID_MESH_TOKEN: "mesh",
  UPSTASH_REDIS_REST_URL: "https://redis.example",
  UPSTASH_REDIS_REST_TOKEN: "token",
};
const targetsOf = (group: string, flyRegion: string) => targetsOfCommand((file.processes[group] ?? "").split(" "), flyRegion);

test("every key and value is one that Fly's reference knows", () => {
  expect(flyComplaints(file)).toEqual([]);
});

test.each([
  ["kill_timeout = 60", "kill_timeout = 600", "kill_timeout does not take 600"],
  ["kill_signal", "kill_signals", "kill_signals is not a key of the reference"],
  ["h2_backend", "h2_backends", "services.ports.http_options.h2_backends is not a key of the reference"],
  ['auto_stop_machines = "off"', 'auto_stop_machines = "no"', 'http_service.auto_stop_machines does not take "no"'],
  ['type = "http"', 'type = "grpc"', 'checks.ready.type does not take "grpc"'],
])("%p written as %p is refused", (right, wrong, complaint) => {
  expect(flyComplaints(Bun.TOML.parse(text.replace(right, wrong)))).toEqual([complaint]);
});

test("a machine is asked to stop by SIGTERM, and has as long as the program takes at most", () => {
  expect([file.kill_signal, file.kill_timeout * 1_000]).toEqual(["SIGTERM", meshStopTimeoutMs]);
});

test("the groups are every app of every region, and gateways take the region they are in", () => {
  const groups = Object.keys(file.processes);
  const running = groups.flatMap((group) => (group === "gateway" ? regionIds : [""]).flatMap((region) => targetsOf(group, region)));
  expect(running.map(targetName).toSorted()).toEqual(allTargets(regionIds).map(targetName).toSorted());
  expect(regionIds).toContain(file.primary_region);
});

test("the release command makes the schemas, with the image's Dockerfile", () => {
  expect(targetsOfCommand(file.deploy.release_command.split(" "))).toEqual([]);
  expect([file.deploy.release_command, file.build.dockerfile]).toEqual(["migrate", "deploy/Dockerfile"]);
});

test("the variables are known, and with the secrets they are all that each group needs in production", () => {
  expect(unknownVariables({ ...file.env, ...secrets })).toEqual([]);
  const environment = { ...imageEnvironment(), ...file.env, ...secrets };
  for (const group of Object.keys(file.processes))
    expect(readEnvironment(environment, targetsOf(group, "lhr"))).toMatchObject({
      production: true,
      host: "::",
      edge: { clientAddressHeader: "Fly-Client-IP" },
    });
});

test("every address leads to the group that runs the service, on the port on which the image serves", () => {
  for (const group of Object.keys(file.processes)) {
    for (const { app, region } of targetsOf(group, "ewr")) {
      const service = serviceOfApp[app];
      if (service === null) continue;
      expect([group, file.env[peerVariable(service, region)]]).toEqual([
        group,
        `http://${group}.process.${file.app}.internal:${imageEnvironment()["RIDEGRID_INTERNAL_PORT"]}`,
      ]);
    }
  }
});

test("gateways are never stopped; native gRPC is HTTP/2 from end to end on a port of its own", () => {
  const config = readEnvironment({ ...imageEnvironment(), ...file.env, ...secrets }, targetsOf("gateway", "ewr"));
  const [grpc, ...more] = file.services;
  expect(more).toEqual([]);
  expect([file.http_service, grpc]).toMatchObject([
    { processes: ["gateway"], internal_port: config.gatewayPorts("ewr").http, auto_stop_machines: "off", auto_start_machines: false },
    { processes: ["gateway"], internal_port: config.gatewayPorts("ewr").grpc, auto_stop_machines: "off", auto_start_machines: false },
  ]);
  expect(grpc?.ports).toEqual([{ port: 8443, handlers: ["tls", "http"], http_options: { h2_backend: true }, tls_options: { alpn: ["h2"] } }]);
});

test("checks and metrics ask the port on which the image tells them, of every group", () => {
  const told = [...Object.values(file.checks), ...file.metrics].map(({ port }) => String(port));
  expect([...new Set(told)]).toEqual([imageEnvironment()["RIDEGRID_METRICS_PORT"] ?? ""]);
  expect(Object.values(file.checks).filter(({ processes }) => processes !== undefined)).toEqual([]);
});

test("sections name only groups that there are", () => {
  const named = [file.http_service, ...file.services, ...file.vm].flatMap(({ processes = [] }) => processes);
  expect(named.filter((group) => !Object.hasOwn(file.processes, group))).toEqual([]);
});
