/** Three clients that people use (connect-web, grpc-js on Node, curl) each take a ride through its whole life on one platform. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DescMethod, type DescMethodUnary, fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import { createConnectTransport } from "@connectrpc/connect-web";
import { DriverService, RiderService } from "@ridegrid/contracts";
import { createLogger } from "@ridegrid/runtime";
import { type Platform, startPlatform } from "./platform.fixture.ts";
import { tokenOf } from "./ride-by-hand.fixture.ts";
import { type CallAs, type Role, wholeLife } from "./whole-life.fixture.ts";

const lifeMs = 180_000;
const expected = [
  "declined: RIDE_STATUS_REQUESTED at attempt 2, version 3",
  "released: RIDE_STATUS_REQUESTED at attempt 3, version 6",
  "completed: RIDE_STATUS_COMPLETED at attempt 3, version 11",
  "canceled: RIDE_STATUS_CANCELED at attempt 1, version 2",
];

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform({ logger: createLogger({ format: "json", level: "silent" }), tracing: undefined, regions: ["lhr"] });
}, lifeMs);
afterAll(() => platform.stop(), lifeMs);

test(
  "connect-web carries a ride through its whole life",
  async () => {
    const transport = createConnectTransport({ baseUrl: platform.url });
    const tokens = await tokensOf("web");
    const call: CallAs = async (role, subject, methodName, body) => {
      const service = role === "rider" ? RiderService : DriverService;
      const method = service.methods.filter(isUnary).find((one) => one.name === methodName);
      if (method === undefined) throw new Error(`${service.typeName} has no unary method ${methodName}`);
      const headers = { authorization: `Bearer ${tokens[subject] ?? ""}` };
      const answer = await transport.unary(method, undefined, 20_000, headers, fromJson(method.input, body as JsonValue));
      return toJson(method.output, answer.message) as Readonly<Record<string, unknown>>;
    };
    expect(await wholeLife(call, "web")).toEqual(expected);
  },
  lifeMs,
);

test(
  "curl carries a ride through its whole life",
  async () => {
    const tokens = await tokensOf("curl");
    const call: CallAs = async (role, subject, methodName, body) => {
      const service = role === "rider" ? RiderService.typeName : DriverService.typeName;
      const headers = ["-H", `authorization: Bearer ${tokens[subject] ?? ""}`, "-H", "content-type: application/json"];
      const answer = await output([
        "curl",
        "-sS",
        "--fail-with-body",
        "-m",
        "20",
        ...headers,
        "-d",
        JSON.stringify(body),
        `${platform.url}/${service}/${methodName}`,
      ]);
      return JSON.parse(answer) as Readonly<Record<string, unknown>>;
    };
    expect(await wholeLife(call, "curl")).toEqual(expected);
  },
  lifeMs,
);

test(
  "grpc-js on Node carries a ride through its whole life",
  async () => {
    const directory = mkdtempSync(join(tmpdir(), "ridegrid-grpc-js-"));
    try {
      const built = await Bun.build({
        entrypoints: [join(import.meta.dir, "grpc-js-rider.fixture.ts")],
        target: "node",
        outdir: directory,
        naming: "rider.mjs",
      });
      expect(built.success).toBe(true);
      const tokens = JSON.stringify(await tokensOf("grpc"));
      const story: unknown = JSON.parse(await output(["node", join(directory, "rider.mjs"), platform.grpcAddress, tokens, "grpc"]));
      expect(story).toEqual(expected);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
  lifeMs,
);

function isUnary(method: DescMethod): method is DescMethodUnary {
  return method.methodKind === "unary";
}

async function tokensOf(name: string): Promise<Readonly<Record<string, string>>> {
  const people: readonly (readonly [Role, string])[] = [["rider", `r-${name}`], ...[1, 2, 3].map((number) => ["driver", `d${number}-${name}`] as const)];
  return Object.fromEntries(await Promise.all(people.map(async ([role, subject]) => [subject, await tokenOf(platform.url, role, subject)] as const)));
}

async function output(command: readonly string[]): Promise<string> {
  const child = Bun.spawn([...command], { stdio: ["ignore", "pipe", "pipe"] });
  const [text, errors, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  if (code !== 0) throw new Error(`${command[0]} ended with ${code}: ${text}${errors}`);
  return text;
}
