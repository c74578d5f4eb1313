/**
 * The whole mesh end to end, as a person runs it: in one process and in many, from the first start to the last port. On a
 * real broker it is `kafka.e2e.integration.test.ts`.
 */
import { expect, test } from "bun:test";
import { eventually } from "@ridegrid/testing";
import { embeddedLogs } from "./event-logs.fixture.ts";
import { expectNothingLeft, meshCases } from "./mesh-cases.fixture.ts";
import { createMeshFolder, gatewayOf, type MeshFolder } from "./mesh.fixture.ts";
import { isAlive, parentOf } from "./process-identity.ts";
import { clientOf } from "./ride-by-hand.fixture.ts";

const startTimeoutMs = 90_000;

meshCases({ how: "in one process", flags: [], logs: embeddedLogs });
meshCases({ how: "in many processes", flags: ["--processes"], logs: embeddedLogs });

/** Each of these leaves a mesh in pieces: a folder each. */
async function inFolder(check: (folder: MeshFolder) => Promise<void>): Promise<void> {
  const folder = await createMeshFolder();
  try {
    await check(folder);
  } finally {
    await folder.reap();
  }
}

type SimReport = {
  readonly violations: number;
  readonly rides: { readonly requested: number; readonly completed: number; readonly noDrivers: number; readonly canceled: Readonly<Record<string, number>> };
};

test(
  "a simulated city loses no ride when the coordinator and then the matching worker are killed in the middle",
  () =>
    inFolder(async (folder) => {
      await folder.dev("--no-city", "--processes");
      const simulation = folder.run("sim", "--url", gatewayOf(folder, "ewr"), "--drivers", "40", "--rides", "24", "--speedup", "30", "--seed", "7", "--json");
      await killOnce(folder, "assignment-coordinator", 6);
      await killOnce(folder, "matching-worker.ewr", 12);
      const ended = await simulation.ended;
      expect(`${ended.code} ${ended.code === 0 ? "" : ended.stderr}`).toBe("0 ");
      const { violations, rides } = JSON.parse(ended.stdout) as SimReport;
      expect(violations).toBe(0);
      expect(rides.requested).toBe(24);
      // A rider's patience is 16 s of wall time here, which a busy machine may use up; whom nobody gave up on is driven.
      expect(rides.completed).toBeGreaterThanOrEqual(8);
      expect(rides.completed).toBeGreaterThanOrEqual(0.9 * (24 - (rides.canceled["rider"] ?? 0)));
    }),
  180_000,
);

/** Once the simulation has asked for so many rides; the new process is there within a second. */
async function killOnce(folder: MeshFolder, name: string, afterRides: number): Promise<void> {
  await eventually(async () => (await ridesSoFar(gatewayOf(folder, "ewr"))) >= afterRides, { timeoutMs: 60_000, what: `${afterRides} rides` });
  const killed = folder.file().pids[name] ?? 0;
  process.kill(killed, "SIGKILL");
  await eventually(() => (folder.file().pids[name] ?? killed) !== killed, { timeoutMs: 2_000, what: `a new ${name}` });
}

test(
  "a killed mesh leaves no app behind, and the next start takes its Postgres over",
  () =>
    inFolder(async (folder) => {
      const first = await folder.dev("--drivers", "5");
      const { postgres: postgresPid, simulator } = folder.file().pids;
      if (postgresPid === undefined || simulator === undefined) throw new Error("mesh.json names no postgres or no simulator");
      first.signal("SIGKILL");
      await first.ended;
      await eventually(() => !isAlive(simulator), { timeoutMs: 15_000, what: "the simulator's end" });
      expect(folder.survivors()).toEqual([...folder.survivors()].filter((pid) => pid === postgresPid || parentOf(pid) === postgresPid));
      const second = await folder.dev("--no-city");
      expect(folder.file().pids["postgres"]).toBe(postgresPid);
      second.signal("SIGTERM");
      await second.ended;
      await expectNothingLeft(folder);
    }),
  startTimeoutMs,
);

async function ridesSoFar(gateway: string): Promise<number> {
  const operator = await clientOf(gateway, "operator", "op-1");
  const { rides } = (await operator("SearchRides", { pageSize: 100 })) as { readonly rides?: readonly unknown[] };
  return rides?.length ?? 0;
}
