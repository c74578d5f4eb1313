/** The Kafka adapter on a real broker: the suite that every adapter passes, and what only a broker can do to it. */
import { afterAll, expect, test } from "bun:test";
import { Admin } from "@platformatic/kafka";
import { startTestBroker, testBrokerMissing } from "@ridegrid/testing";
import { eventLogConformance } from "./event-log.conformance.ts";
import { createKafkaEventLog } from "./event-log.kafka.ts";
import { kafkaLimits } from "./limits.kafka.ts";

const missing = testBrokerMissing();
if (missing === null) {
  const broker = await startTestBroker();
  afterAll(() => broker.stop());
  let clients = 0;
  const open = (compression: "none" | "lz4" | "zstd" = "none") =>
    createKafkaEventLog({ brokers: [broker.address], clientId: `test-${clients++}`, replicas: 1, compression });

  eventLogConformance("Kafka", async () => {
    const log = open();
    const admin = new Admin({ clientId: "trimmer", bootstrapBrokers: [broker.address] });
    return {
      log,
      open: async () => open(),
      async trim(topic, partition, offset) {
        await admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition, offset: BigInt(offset) }] }] });
      },
      // The client repeats a send by itself; every one of its tries must go unanswered.
      loseNextAnswer: () => broker.proxy.loseProduceAnswers(kafkaLimits.retries + 1),
      async close() {
        await admin.close();
        await log.close();
      },
    };
  });

  for (const compression of ["lz4", "zstd"] as const) {
    test(`records survive ${compression} compression`, async () => {
      const log = open(compression);
      const topic = `compressed.${compression}.${Bun.randomUUIDv7()}`;
      await log.ensureTopics([{ topic, partitions: 1, retentionMs: 3_600_000 }]);
      const value = new Uint8Array(50_000).fill(42);
      await log.append(topic, 0, [{ key: "k", value, headers: { a: "b" } }]);
      const [stored] = await log.read(topic, 0, 0, { maxRecords: 10, maxBytes: 1_000_000, maxWaitMs: 5_000 }, new AbortController().signal);
      expect({ ...stored, value: [...(stored?.value ?? [])] }).toMatchObject({ key: "k", headers: { a: "b" }, value: [...value] });
      await log.close();
    });
  }

  test("answers were really lost", () => {
    expect(broker.proxy.lost()).toBeGreaterThan(0);
  });
} else {
  test.skip(`the Kafka adapter on a real broker (${missing})`, () => {});
}
