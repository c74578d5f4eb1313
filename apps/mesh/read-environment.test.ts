/** What `start` needs for which apps, and the one line for what is missing or wrong. */
import { expect, test } from "bun:test";
import type { AppTarget } from "./app-target.ts";
import { readEnvironment } from "./read-environment.ts";

const coordinator: AppTarget = { app: "assignment-coordinator", region: null };
const gateway: AppTarget = { app: "gateway", region: "ewr" };
const ingest: AppTarget = { app: "telemetry-ingest", region: "ewr" };
const enough = {
  DATABASE_URL: "postgres://u:secret@h:5/ridegrid",
  RIDEGRID_PIN_SECRET: "p",
  RIDEGRID_MESH_TOKEN: "m",
  RIDEGRID_DEV_ISSUER_JWK: '{"kty":"EC"}',
};

test("readEnvironment() derives a region's log database from DATABASE_URL, unless it is named", () => {
  expect(readEnvironment(enough, [coordinator]).logDatabaseUrl("lhr")).toBe("postgres://u:secret@h:5/ridegrid_log_lhr");
  const named = { ...enough, RIDEGRID_LOG_DATABASE_URL_LHR: "postgres://other/log" };
  expect(readEnvironment(named, [coordinator]).logDatabaseUrl("lhr")).toBe("postgres://other/log");
});

test("readEnvironment() gives each region's gateway its own ports", () => {
  const config = readEnvironment({ ...enough, RIDEGRID_GATEWAY_PORT_LHR: "9011" }, [gateway]);
  expect(config.gatewayPorts("lhr")).toEqual({ http: 9011, grpc: 8002 });
  expect(config.gatewayPorts("ewr")).toEqual({ http: 8001, grpc: 8002 });
});

test("readEnvironment() needs no database for a gateway alone", () => {
  expect(readEnvironment({ ...enough, DATABASE_URL: undefined }, [gateway]).databaseUrl).toBeUndefined();
});

test.each([
  [{ ...enough, DATABASE_URL: undefined }, [coordinator], "DATABASE_URL is missing"],
  [{ ...enough, RIDEGRID_PIN_SECRET: "" }, [gateway], 'Cannot start "gateway.ewr": the environment variable RIDEGRID_PIN_SECRET is missing'],
  [{ ...enough, RIDEGRID_MESH_TOKEN: undefined }, [ingest], "RIDEGRID_MESH_TOKEN is missing"],
  [{ ...enough, RIDEGRID_METRICS_PORT: "http" }, [ingest], 'RIDEGRID_METRICS_PORT must be a port number, not "http"'],
  [{ ...enough, RIDEGRID_LOG_LEVEL: "loud" }, [ingest], "RIDEGRID_LOG_LEVEL must be one of"],
  [{ ...enough, RIDEGRID_DEV_ISSUER_JWK: undefined }, [gateway], "RIDEGRID_JWKS_URL is missing"],
  [{ ...enough, NODE_ENV: "production" }, [gateway], "never used in production"],
])("readEnvironment() names what is missing or wrong: %#", (env, targets, part) => {
  expect(() => readEnvironment(env, targets)).toThrow(part);
});

test("readEnvironment() never quotes a password", () => {
  let message = "";
  try {
    readEnvironment({ ...enough, DATABASE_URL: "mysql://u:secret@h/x" }, [coordinator]);
  } catch (error) {
    message = String(error);
  }
  expect(message).toContain("DATABASE_URL must be a postgres:// URL");
  expect(message).not.toContain("secret");
});
