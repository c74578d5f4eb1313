/** The flags of `dev`, `sim` and `start`: defaults, and one clear line for what is wrong. */
import { describe, expect, test } from "bun:test";
import { parseDev, parseNothing, parseSim, parseStart } from "./command-line.ts";

describe("parseDev()", () => {
  test("answers the defaults when nothing is asked for", () => {
    expect(parseDev([])).toEqual({
      dataDirectory: ".ridegrid",
      reset: false,
      portBase: undefined,
      city: true,
      processes: false,
      kafka: false,
      drivers: 30,
      seed: 1,
      watch: false,
      doctor: false,
      json: false,
    });
  });

  test("reads every flag", () => {
    const options = parseDev(["--data", "/x", "--reset", "--port-base", "100", "--no-city", "--processes", "--drivers", "7", "--seed", "9", "--watch"]);
    expect(options).toMatchObject({ dataDirectory: "/x", reset: true, portBase: 100, city: false, processes: true, drivers: 7, seed: 9, watch: true });
  });

  test.each([
    [["--bogus"], '"--bogus"'],
    [["--drivers", "many"], "--drivers must be a whole number"],
    [["--port-base", "-1"], "--port-base"],
    [["--seed", "1.5"], '"1.5"'],
    [["--reset=yes"], "--reset"],
    [["extra"], '"extra"'],
    [["--data"], "--data"],
  ])("complains in one line about %p", (args, part) => {
    let message = "";
    try {
      parseDev(args);
    } catch (error) {
      message = error instanceof Error ? error.message : "";
    }
    expect(message).toContain(part);
    expect(message).not.toContain("\n");
  });
});

describe("parseStart()", () => {
  test("takes any set of apps of a region", () => {
    expect(parseStart(["gateway", "telemetry-ingest", "--region", "ewr"])).toEqual({ apps: ["gateway", "telemetry-ingest"], regions: ["ewr"] });
  });

  test("asks for a region only where an app has one", () => {
    expect(parseStart(["assignment-coordinator"])).toEqual({ apps: ["assignment-coordinator"], regions: [] });
    expect(() => parseStart(["gateway"])).toThrow('"gateway" needs --region');
  });

  test("takes the machine's region where none is given, and only for apps that live in one", () => {
    expect(parseStart(["gateway"], "lhr")).toEqual({ apps: ["gateway"], regions: ["lhr"] });
    expect(parseStart(["gateway", "--region", "ewr"], "lhr").regions).toEqual(["ewr"]);
    expect(parseStart(["assignment-coordinator"], "lhr").regions).toEqual([]);
  });

  test("names an unknown app and a missing one", () => {
    expect(() => parseStart(["gatway", "--region", "ewr"])).toThrow('unknown app "gatway"');
    expect(() => parseStart([])).toThrow("at least one app");
  });
});

test("parseNothing() complains about whatever it is given", () => {
  expect(() => parseNothing("migrate", [])).not.toThrow();
  expect(() => parseNothing("migrate", ["up"])).toThrow('Cannot run "migrate": unexpected argument "up"');
  expect(() => parseNothing("migrate", ["--force"])).toThrow("--force");
});

describe("parseSim()", () => {
  test("finds --url among flags that are not its own", () => {
    expect(parseSim(["--rides", "5", "--url", "http://x", "--speedup", "2"])).toEqual({ url: "http://x", kafka: false, json: false, help: false });
    expect(parseSim(["--rides", "5", "--json"])).toEqual({ url: undefined, kafka: false, json: true, help: false });
  });

  test("knows --kafka, which excludes --url", () => {
    expect(parseSim(["--rides", "5", "--kafka"]).kafka).toBe(true);
    expect(() => parseSim(["--kafka", "--url", "http://x"])).toThrow("a mesh of its own");
  });

  test("complains about a --url without a value", () => {
    expect(() => parseSim(["--url"])).toThrow("--url needs a value");
  });
});
