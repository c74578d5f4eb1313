/** Flags: what they mean, and the one clear line that a wrong one gets. */
import { describe, expect, test } from "bun:test";
import { parseArguments } from "./arguments.ts";
import { readGateways } from "./inputs.ts";

describe("parseArguments()", () => {
  test("reads every flag", () => {
    const args = parseArguments("--url http://a:1 --url http://b:2 --rides 7 --drivers 9 --market lon --trips t.csv --speedup 2.5 --seed 3 --json".split(" "));
    expect(args).toEqual({
      urls: ["http://a:1", "http://b:2"],
      rides: 7,
      drivers: 9,
      market: "lon",
      tripsPath: "t.csv",
      speedup: 2.5,
      seed: 3,
      json: true,
      help: false,
    });
    expect(parseArguments(["--endless"]).rides).toBeNull();
  });

  test.each([
    ["--colour red", 'Unknown option "--colour"'],
    ["--drivers many", '--drivers must be a whole number from 1 to 5000, not "many"'],
    ["--rides -3", 'Option "--rides" argument is ambiguous'],
    ["--rides 1.5", '--rides must be a whole number from 1 to 100000, not "1.5"'],
    ["--rides 0", '--rides must be a whole number from 1 to 100000, not "0"'],
    ["--speedup 0", '--speedup must be a number above 0 and at most 1000, not "0"'],
    ["--speedup fast", '--speedup must be a number above 0 and at most 1000, not "fast"'],
    ["--seed x", '--seed must be a whole number from 0 to 4294967295, not "x"'],
    ["--endless --rides 3", "--endless and --rides exclude each other"],
    ["stray", 'unexpected argument "stray"'],
  ])("answers %j with one line", (args, line) => {
    let message = "";
    try {
      parseArguments(args.split(" "));
    } catch (error) {
      message = error instanceof Error ? `${error.name}: ${error.message}` : "";
    }
    expect(message).toBe(`Complaint: Cannot run the simulator: ${line}`);
  });
});

test("readGateways() takes URLs as they are and says what is wrong with anything else", () => {
  expect(readGateways(["http://localhost:8001"])).toEqual({ "gateway 1": "http://localhost:8001" });
  expect(() => readGateways(["/no/mesh.json"])).toThrow('Cannot use --url "/no/mesh.json": it is neither an http URL nor a mesh.json (there is no such file)');
});
