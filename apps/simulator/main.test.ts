/** The program as a process: what bad input gets, and that `--json` prints one object and nothing else. */
import { describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startFixturePlatform } from "./platform.fixture.ts";

type Ended = { readonly code: number; readonly stdout: string; readonly stderr: string };

async function simulator(...args: readonly string[]): Promise<Ended> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "main.ts"), ...args], { stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { code, stdout, stderr };
}

describe("the simulator's command line", () => {
  test.each([
    [["--colour", "red"], 'Cannot run the simulator: Unknown option "--colour"'],
    [["--trips", "/no/such.csv", "--url", "http://127.0.0.1:1"], 'Cannot read trips file "/no/such.csv": there is no such file'],
  ])("%j is one clear line and exit code 1", async (args, line) => {
    const { code, stdout, stderr } = await simulator(...args);
    expect(stderr).toBe(`${line}\n`);
    expect(stdout).toBe("");
    expect(code).toBe(1);
  });

  test("prints one JSON object, reads a mesh.json, tells bad rows and exits by its violations", async () => {
    const directory = await mkdtemp(join(tmpdir(), "ridegrid-sim-"));
    const platform = startFixturePlatform();
    const broken = startFixturePlatform({ skipsVersion: true });
    try {
      const mesh = join(directory, "mesh.json");
      const trips = join(directory, "trips.csv");
      await Bun.write(mesh, JSON.stringify({ gateways: { ewr: platform.url } }));
      const row = (second: number, latitude: number): string => `2015-01-15T13:00:0${second}Z,2015-01-15T13:20:00Z,${latitude},-73.98,40.76,-73.97,1`;
      await Bun.write(
        trips,
        `pickup_time,dropoff_time,pickup_latitude,pickup_longitude,dropoff_latitude,dropoff_longitude,passengers\n${row(0, 40.75)}\n${row(1, 95)}\n${row(4, 40.753)}\n`,
      );
      const flags = ["--trips", trips, "--rides", "4", "--drivers", "4", "--speedup", "300", "--seed", "5", "--json"];
      const good = await simulator("--url", mesh, ...flags);
      expect(good.stderr).toContain('line 3: pickup_latitude "95" is not a latitude');
      expect(good.stderr).toContain("4/4 requested");
      expect(JSON.parse(good.stdout)).toMatchObject({ seed: 5, rides: { requested: 4 }, violations: 0 });
      expect(good.stdout.trimEnd().split("\n").length).toBe(1);
      expect(good.code).toBe(0);
      const bad = await simulator("--url", broken.url, ...flags);
      expect(JSON.parse(bad.stdout).violations).toBeGreaterThan(0);
      expect(bad.code).toBe(1);
    } finally {
      await Promise.all([platform.close(), broken.close()]);
      await rm(directory, { recursive: true });
    }
  }, 30_000);
});
