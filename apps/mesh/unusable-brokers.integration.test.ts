/**
 * Brokers that cannot be used, at start: away, with another password, with a certificate that nobody vouches for, or
 * with topics of another partition count. One line that says which and what, and exit code 1, within a bounded time.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createKafkaEventLog } from "@ridegrid/eventlog/kafka";
import {
  createSelfSigned,
  createTestContext,
  createTestDatabase,
  freePort,
  type SelfSigned,
  startTestBroker,
  type TestBroker,
  type TestDatabase,
  testBrokerMissing,
} from "@ridegrid/testing";
import { brokerWaitMs } from "./limits.ts";
import type { Ended } from "./mesh.fixture.ts";
import { devIn, startMatching, startOn } from "./start-on.fixture.ts";

const missing = testBrokerMissing();
const setUpMs = 90_000;
/** What a start takes besides waiting, on a busy machine. */
const slackMs = 30_000;
const user = { name: "ridegrid", password: "right", mechanisms: ["PLAIN"] } as const;

describe.skipIf(missing !== null)(`a start on brokers that cannot be used${missing === null ? "" : ` (${missing})`}`, () => {
  let broker: TestBroker;
  let signed: SelfSigned;
  let database: TestDatabase;
  let files: string;
  let nobody: string;

  beforeAll(async () => {
    signed = await createSelfSigned();
    [broker, database] = await Promise.all([
      startTestBroker({ doors: [{ name: "SECURE", user, keystore: signed.keystore }] }),
      createTestDatabase({ platform: true }),
    ]);
    files = mkdtempSync(join(tmpdir(), "ridegrid-ca-"));
    writeFileSync(join(files, "ca.pem"), signed.certificate);
    nobody = `127.0.0.1:${await freePort()}`;
  }, setUpMs);
  afterAll(async () => {
    await broker.stop();
    await database.drop();
    signed.remove();
    rmSync(files, { recursive: true, force: true });
  }, setUpMs);

  type Environment = Readonly<Record<string, string>>;
  const secure = (password: string): Environment => ({
    KAFKA_BROKERS: broker.door("SECURE").address,
    KAFKA_REPLICAS: "1",
    KAFKA_TLS: "on",
    KAFKA_TLS_CA_FILE: join(files, "ca.pem"),
    KAFKA_SASL_MECHANISM: "PLAIN",
    KAFKA_SASL_USERNAME: user.name,
    KAFKA_SASL_PASSWORD: password,
  });

  const startWorker = (environment: Environment): Promise<Ended> =>
    startOn({ DATABASE_URL: database.url, RIDEGRID_MESH_TOKEN: "t", ...environment }, startMatching);

  /** The complaint is all there is on standard error. */
  function expectComplaint({ code, stderr }: Ended, ...parts: readonly string[]): void {
    expect({ code, lines: stderr.trimEnd().split("\n").length, stderr }).toMatchObject({ code: 1, lines: 1 });
    for (const part of parts) expect(stderr).toContain(part);
    expect(stderr).not.toContain("right");
  }

  test(
    "a broker that does not answer",
    async () => {
      const began = performance.now();
      expectComplaint(await startWorker({ KAFKA_BROKERS: nobody }), `the event log of "ewr" at ${nobody}`, "did not answer for 10 s", "ECONNREFUSED");
      expect(performance.now() - began).toBeWithin(brokerWaitMs, brokerWaitMs + slackMs);
    },
    brokerWaitMs + slackMs,
  );

  test(
    "a wrong password",
    async () => {
      expectComplaint(await startWorker(secure("wrong")), "does not let us in", "SASL authentication failed");
    },
    slackMs,
  );

  test(
    "a certificate that nobody vouches for",
    async () => {
      const { KAFKA_TLS_CA_FILE: _, ...unvouched } = secure(user.password);
      expectComplaint(await startWorker(unvouched), "does not let us in", "self signed certificate");
      expectComplaint(await startWorker({ ...unvouched, KAFKA_TLS_CA_FILE: "/nowhere.pem" }), 'KAFKA_TLS_CA_FILE "/nowhere.pem" cannot be read');
    },
    slackMs,
  );

  test(
    "a topic with another partition count, and no topic is made beside it; `dev` is refused alike, and starts nothing",
    async () => {
      const log = createKafkaEventLog({ brokers: [broker.address], clientId: "test", replicas: 1, compression: "none", clock: createTestContext().clock });
      await log.ensureTopics([{ topic: "ewr.ride-events.v1", partitions: 1, retentionMs: 3_600_000 }]);
      const what = 'cannot be used: Topic "ewr.ride-events.v1" has 1 partitions, the catalogue says 8';
      expectComplaint(await startWorker(secure(user.password)), what);
      await expect(log.bounds("ewr.driver-events.v1", 0)).rejects.toThrow();
      await log.close();
      const dev = await startOn({ KAFKA_BROKERS: broker.address }, devIn);
      expectComplaint(dev, what);
      expect(dev.stdout).toBe("");
      expectComplaint(
        await startOn({ KAFKA_BROKERS: broker.address }, (directory) => [...devIn(directory), "--kafka"]),
        "--kafka starts a broker and KAFKA_BROKERS names others",
      );
    },
    2 * slackMs,
  );
});
