/**
 * The mesh on a real Kafka broker: all that a mesh must do, its logs behind a door for each region; and `dev --kafka`, whose
 * own broker has every topic, carries a simulated city, is killed, and ends with the mesh, a killed one too.
 */
import { Admin } from "@platformatic/kafka";
import { partitionsPerTopic, physicalTopic, topicCatalogue } from "@ridegrid/contracts";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { eventually, testBrokerMissing } from "@ridegrid/testing";
import { kafkaLogs } from "./event-logs.fixture.ts";
import { meshCases } from "./mesh-cases.fixture.ts";
import { createMeshFolder, gatewayOf, type MeshFolder, type Program } from "./mesh.fixture.ts";
import { isAlive } from "./process-identity.ts";
import { clientOf, driverAt, newYork, offerFor, requestRide, rideIn } from "./ride-by-hand.fixture.ts";

type SimReport = {
  readonly violations: number;
  readonly rides: { readonly requested: number; readonly completed: number };
  readonly records: Readonly<Record<string, number>>;
};

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
    "every topic of the catalogue is on the broker, once for each region",
    async () => {
      const admin = new Admin({ clientId: "topics", bootstrapBrokers: [folder.file().kafka ?? ""] });
      const topics = ["ewr", "lhr"].flatMap((region) => topicCatalogue.map(({ name }) => physicalTopic(region, name)));
      expect((await admin.listTopics()).toSorted()).toEqual(topics.toSorted());
      const metadata = await admin.metadata({ topics });
      expect(topics.map((topic) => metadata.topics.get(topic)?.partitionsCount)).toEqual(topics.map(() => partitionsPerTopic));
      await admin.close();
    },
    startTimeoutMs,
  );

  test(
    "a simulated city ends with every ride accounted for, and 0 violations",
    async () => {
      const simulation = ["--drivers", "20", "--rides", "8", "--speedup", "60", "--seed", "7", "--json"];
      const { code, stdout, stderr } = await folder.run("sim", "--url", gatewayOf(folder, "ewr"), ...simulation).ended;
      expect(`${code} ${code === 0 ? "" : stderr}`).toBe("0 ");
      const { violations, rides, records } = JSON.parse(stdout) as SimReport;
      expect({ violations, requested: rides.requested }).toEqual({ violations: 0, requested: 8 });
      expect(rides.completed).toBeGreaterThan(0);
      expect(records["ewr.ride-events.v1"]).toBeGreaterThan(8);
    },
    startTimeoutMs,
  );

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
    "a killed mesh's broker ends without it; the next start has one of its own; SIGTERM ends both",
    async () => {
      const left = folder.file().pids["kafka"] ?? 0;
      mesh.signal("SIGKILL");
      await mesh.ended;
      mesh = await folder.dev("--no-city", "--kafka");
      expect(isAlive(left)).toBe(false);
      const { kafka = 0 } = folder.file().pids;
      expect(kafka).not.toBe(left);
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
