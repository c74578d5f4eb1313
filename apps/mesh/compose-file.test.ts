/** `compose.yaml` holds what it promises: pinned images, health, order, commands and variables that the program knows. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "bun:test";
import type { ServiceName } from "@ridegrid/rpc";
import { allTargets, serviceOfApp, targetName } from "./app-target.ts";
import { composePath, ownImage, ownServices, readComposeFile, startOrder } from "./compose-file.fixture.ts";
import { regionIds, targetsOfCommand, unknownVariables } from "./deployed-apps.fixture.ts";
import { imageEnvironment, readDockerfile } from "./dockerfile.fixture.ts";
import { peerVariable, readEnvironment } from "./read-environment.ts";
import { repositoryRoot } from "./repository.fixture.ts";

const file = readComposeFile();
const services = Object.entries(file.services);
const own = ownServices(file);

test("every image has a tag that names a version, and the Dockerfile's are the pinned Bun", () => {
  const bases = readDockerfile().map(({ image }) => image);
  const images = [...services.map(([, { image }]) => image), ...bases];
  expect(images.filter((image) => !/(:v?\d[\w.-]*|@sha256:[0-9a-f]{64})$/.test(image))).toEqual([]);
  const { packageManager } = JSON.parse(readFileSync(join(repositoryRoot, "package.json"), "utf8")) as { readonly packageManager: string };
  expect([...new Set(bases)]).toEqual([`oven/${packageManager.replace("@", ":")}-slim`]);
});

test("one service builds the image that every app runs", () => {
  expect(own.filter(([, { build }]) => build !== undefined).map(([name, { build }]) => [name, build])).toEqual([
    ["migrate", { context: ".", dockerfile: "deploy/Dockerfile" }],
  ]);
  const { version } = JSON.parse(readFileSync(join(repositoryRoot, "package.json"), "utf8")) as { readonly version: string };
  expect(ownImage).toBe(`ridegrid:${version}`);
});

test("every app of every region runs once", () => {
  const running = own.flatMap(([, { command }]) => targetsOfCommand(command)).map(targetName);
  expect(running.toSorted()).toEqual(allTargets(regionIds).map(targetName).toSorted());
});

test("every service is health-checked, or is a job that others wait for", () => {
  const jobs = services.flatMap(([, { depends_on = {} }]) =>
    Object.entries(depends_on).flatMap(([name, { condition }]) => (condition === "service_completed_successfully" ? [name] : [])),
  );
  const unchecked = services.filter(([, { healthcheck }]) => !("test" in healthcheck)).map(([name]) => name);
  expect(unchecked).toEqual([...new Set(jobs)]);
  const waited = services.flatMap(([, { depends_on = {} }]) =>
    Object.entries(depends_on).flatMap(([name, { condition }]) => (condition === "service_healthy" ? [name] : [])),
  );
  expect(waited.filter((name) => !("test" in (file.services[name]?.healthcheck ?? {})))).toEqual([]);
});

test("services wait only for services that there are, and not in a circle", () => {
  expect(startOrder(file).toSorted()).toEqual(Object.keys(file.services).toSorted());
});

test("every app is asked to stop by SIGTERM and has 60 s to do it", () => {
  const others = own.filter(([, service]) => service.stop_signal !== "SIGTERM" || service.stop_grace_period !== "60s");
  expect(others.map(([name]) => name)).toEqual([]);
});

test("every variable is one that the program reads, and all that each app needs are there", () => {
  for (const [, { command, environment }] of own) {
    expect(unknownVariables(environment)).toEqual([]);
    const targets = targetsOfCommand(command);
    if (targets.length > 0) expect(readEnvironment({ ...imageEnvironment(), ...environment }, targets)).toMatchObject({ production: false });
  }
});

test("every app's address leads to the service that runs it", () => {
  for (const [name, { command }] of own) {
    for (const { app, region } of targetsOfCommand(command)) {
      const service: ServiceName | null = serviceOfApp[app];
      const address = `http://${name}:${imageEnvironment()["RIDEGRID_INTERNAL_PORT"]}`;
      if (service === null) continue;
      const told = own.filter(
        ([
          ,
          {
            command: [kind],
            environment,
          },
        ]) => kind === "start" && environment[peerVariable(service, region)] !== address,
      );
      expect(told.map(([other]) => `${other} is told another ${peerVariable(service, region)}`)).toEqual([]);
    }
  }
});

test("every host in a variable is a service", () => {
  const hosts = own.flatMap(([, { environment }]) =>
    Object.values(environment).flatMap((value) => [...value.matchAll(/(?:^|\/\/|@)([a-z][a-z-]*):\d+/g)].map(([, host = ""]) => host)),
  );
  expect(hosts.length).toBeGreaterThan(own.length);
  expect([...new Set(hosts)].filter((host) => file.services[host] === undefined)).toEqual([]);
});

test("ports are published on the loopback only, each once", () => {
  const published = services.flatMap(([, { ports = [] }]) => ports);
  expect(published.filter((port) => !/^127\.0\.0\.1:\d+:\d+$/.test(port))).toEqual([]);
  expect(new Set(published.map((port) => port.split(":")[1])).size).toBe(published.length);
});

test("every volume that is mounted is declared", () => {
  const mounted = services.flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(":")[0] ?? ""));
  expect(mounted.toSorted()).toEqual(Object.keys(file.volumes).toSorted());
});

/** What `docker compose config` does, by compose's own library. */
const checker = ["run", "github.com/compose-spec/compose-go/v2/cmd@v2.16.2"];

/** Go fetches and builds it at the first use. */
function checkerMissing(): string | null {
  if (Bun.which("go") === null) return "go not found on PATH";
  const { stderr } = spawnSync("go", [...checker, "-help"], { encoding: "utf8", cwd: tmpdir() });
  return stderr.includes("Usage of") ? null : `go cannot run compose's checker: ${stderr.trim().split("\n").at(-1)}`;
}

const missing = checkerMissing();
if (missing === null) {
  test("compose's own library accepts the file, and not a misspelled key", () => {
    const accepted = spawnSync("go", [...checker, "-format", "json", composePath], { encoding: "utf8", cwd: tmpdir() });
    expect(accepted.stderr).not.toContain("error");
    expect(accepted.status).toBe(0);
    const model = JSON.parse(accepted.stdout) as { readonly services: Readonly<Record<string, { readonly environment: unknown; readonly command: unknown }>> };
    // Our own reader, on which the other tests rest, sees what compose sees.
    for (const [name, { environment, command }] of own) expect(model.services[name]).toMatchObject({ environment, command });

    const folder = mkdtempSync(join(tmpdir(), "ridegrid-compose-"));
    try {
      const misspelled = join(folder, "compose.yaml");
      writeFileSync(misspelled, readFileSync(composePath, "utf8").replace("stop_grace_period", "stop_grace_time"));
      expect(spawnSync("go", [...checker, misspelled], { encoding: "utf8", cwd: tmpdir() }).status).not.toBe(0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }, 300_000);
} else {
  test.skip(`compose's own library accepts the file (${missing})`, () => {});
}
