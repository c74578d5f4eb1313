/**
 * The mesh on a real Kafka broker: all that a mesh must do, its logs behind a door for each region; and `dev --kafka`, whose
 * own broker is killed and ends with it.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { eventually, testBrokerMissing } from "@ridegrid/testing";
import { kafkaLogs } from "./event-logs.fixture.ts";
import { meshCases } from "./mesh-cases.fixture.ts";
import { createMeshFolder, gatewayOf, type MeshFolder, type Program } from "./mesh.fixture.ts";
import { isAlive } from "./process-identity.ts";
import { clientOf, driverAt, newYork, offerFor, requestRide, rideIn } from "./ride-by-hand.fixture.ts";

const startTimeoutMs = 120_000;
const brokerBackMs = 60_000;

meshCases({ how: "in one process", flags: [], logs: kafkaLogs });

const missing = testBrokerMissing();
if (missing === null) {
  let folder: MeshFolder;
  let mesh: Program;
  beforeAll(async () => {
    folder = await createMeshFolder();
    mesh = await folder.dev("--no-city", "--kafka");
  }, startTimeoutMs);
  afterAll(() => folder.reap(), startTimeoutMs);

  test(
    "with the broker killed rides are taken, and assigned when it is back",
    async () => {
      expect(folder.file().kafka).toMatch(/^127\.0\.0\.1:\d+$/);
      const url = gatewayOf(folder, "ewr");
      const { kafka = 0 } = folder.file().pids;
      process.kill(kafka, "SIGKILL");
      const rider = await clientOf(url, "rider", "r-away");
      const { rideId } = await requestRide(rider, newYork);
      const driver = await driverAt(url, "d-away", newYork);
      await eventually(() => folder.file().pids["kafka"] !== kafka, { timeoutMs: brokerBackMs, what: "the broker to be started again" });
      const offerId = await offerFor(driver.call, brokerBackMs);
      const accepted = rideIn(await driver.call("AcceptOffer", { requestId: crypto.randomUUID(), offerId }));
      expect(accepted).toMatchObject({ rideId, status: "RIDE_STATUS_ASSIGNED" });
      await rider("CancelRide", { requestId: crypto.randomUUID(), rideId, reason: "CANCEL_REASON_OTHER" });
      await driver.goHome();
    },
    startTimeoutMs + brokerBackMs,
  );

  test(
    "SIGTERM ends the mesh and its broker",
    async () => {
      const { kafka = 0 } = folder.file().pids;
      mesh.signal("SIGTERM");
      expect((await mesh.ended).code).toBe(0);
      await eventually(() => folder.survivors().length === 0, { timeoutMs: 20_000, what: "the end of every process" });
      expect(isAlive(kafka)).toBe(false);
    },
    startTimeoutMs,
  );
} else {
  test.skip(`the mesh on a real Kafka broker (${missing})`, () => {});
}
