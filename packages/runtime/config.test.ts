/** Configuration: typed values, or one line that names the variable. */
import { expect, test } from "bun:test";
import { readConfig, readVariable, requireVariable } from "./config.ts";

test("readConfig() answers typed values", () => {
  const config = readConfig({ RIDEGRID_GATEWAY_PORT: "9001", DATABASE_URL: "postgres://h/d" }, ["RIDEGRID_GATEWAY_PORT", "DATABASE_URL"]);
  expect(config).toEqual({ RIDEGRID_GATEWAY_PORT: 9001, DATABASE_URL: "postgres://h/d" });
});

test("readVariable() prefers the region's own name, and falls back to the default", () => {
  const env = { RIDEGRID_GRPC_PORT: "1", RIDEGRID_GRPC_PORT_EWR: "2" };
  expect(readVariable(env, "RIDEGRID_GRPC_PORT", { region: "ewr" })).toBe(2);
  expect(readVariable(env, "RIDEGRID_GRPC_PORT", { region: "lhr" })).toBe(1);
  expect(readVariable({}, "RIDEGRID_GRPC_PORT")).toBe(8002);
  expect(readVariable({}, "DATABASE_URL")).toBeUndefined();
});

test.each([
  ["", 'Cannot start "gateway.ewr": the environment variable DATABASE_URL is missing'],
  ["mysql://user:hunter2@h/d", "Cannot start: the environment variable DATABASE_URL must be a postgres:// URL"],
])("requireVariable() of DATABASE_URL %p names the variable and quotes no password", (value, message) => {
  expect(() => requireVariable({ DATABASE_URL: value }, "DATABASE_URL", { neededBy: '"gateway.ewr"' })).toThrow(message);
});

test.each([
  [{ RIDEGRID_METRICS_PORT: "99999" }, "RIDEGRID_METRICS_PORT", 'RIDEGRID_METRICS_PORT must be a port number, not "99999"'],
  [{ RIDEGRID_LOG_LEVEL: "loud" }, "RIDEGRID_LOG_LEVEL", "must be one of trace, debug"],
  [{ RIDEGRID_PEER_STATE_EWR: "h:1" }, "RIDEGRID_PEER_STATE", "RIDEGRID_PEER_STATE_EWR must be an http(s):// URL"],
] as const)("readVariable() of %p refuses a wrong type", (env, name, message) => {
  expect(() => readVariable(env, name, { region: "ewr" })).toThrow(message);
});
