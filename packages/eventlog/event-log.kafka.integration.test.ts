/** The Kafka adapter on a real broker: the suite that every adapter passes, and what only a broker can do to it. */
import { afterAll, describe, expect, test } from "bun:test";
import { Admin } from "@platformatic/kafka";
import { createSelfSigned, startTestBroker, testBrokerMissing } from "@ridegrid/testing";
import { eventLogConformance } from "./event-log.conformance.ts";
import type { KafkaEventLogOptions } from "./event-log.kafka.ts";
import { LogRefused } from "./event-log.ts";
import { appendUntilStored, never, newKafkaTopic, numbered, openKafka, readAll, readLimits } from "./kafka-log.fixture.ts";
import { kafkaLimits } from "./limits.kafka.ts";

/** Brokers of others, where the machine names some: the suite runs on them, too. */
const elsewhere = process.env["KAFKA_BROKERS"];
if (elsewhere !== undefined)
  conformanceOn(`Kafka at ${elsewhere}`, elsewhere.split(","), { loseNextAnswer: "no proxy stands in front of KAFKA_BROKERS to lose answers" });

function conformanceOn(name: string, brokers: readonly string[], lost: { readonly loseNextAnswer: string } | (() => void)): void {
  eventLogConformance(
    name,
    async () => {
      const log = openKafka(brokers);
      const admin = new Admin({ clientId: "trimmer", bootstrapBrokers: [...brokers] });
      return {
        log,
        open: async () => openKafka(brokers),
        async trim(topic, partition, offset) {
          await admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition, offset: BigInt(offset) }] }] });
        },
        ...(typeof lost === "function" ? { loseNextAnswer: lost } : {}),
        async close() {
          await admin.close();
          await log.close();
        },
      };
    },
    typeof lost === "function" ? {} : lost,
  );
}

const user = { name: "ridegrid", password: "right", mechanisms: ["PLAIN"] } as const;
const scram = ["SCRAM-SHA-256", "SCRAM-SHA-512"] as const;
const sasl = { mechanism: "PLAIN", username: user.name, password: user.password } as const;
const slackMs = 60_000;

const missing = testBrokerMissing();
if (missing === null) {
  const signed = await createSelfSigned();
  const broker = await startTestBroker({
    doors: [
      { name: "SECURE", user, keystore: signed.keystore },
      { name: "SCRAM", user: { ...user, mechanisms: scram }, keystore: signed.keystore },
    ],
  });
  afterAll(async () => {
    await broker.stop();
    signed.remove();
  });

  // The client repeats a send by itself; every one of its tries must go unanswered.
  conformanceOn("Kafka", [broker.address], () => broker.proxy.loseProduceAnswers(kafkaLimits.retries + 1));

  test("answers were really lost", () => {
    expect(broker.proxy.lost()).toBeGreaterThan(0);
  });

  test("an append whose answer was lost once is stored once: its repetition carries the same sequence", async () => {
    const { log, topic } = await newKafkaTopic([broker.address]);
    await log.append(topic, 0, numbered(1));
    const lostBefore = broker.proxy.lost();
    broker.proxy.loseProduceAnswers(1);
    await log.append(topic, 0, numbered(2));
    await log.append(topic, 0, numbered(3));
    expect(broker.proxy.lost()).toBe(lostBefore + 1);
    expect((await readAll(log, topic, 0)).map(({ key }) => key)).toEqual(["1", "2", "3"]);
    await log.close();
  });

  test("a read answers from where it is asked, whatever the fetch before it brought beyond its limits", async () => {
    const { log, topic } = await newKafkaTopic([broker.address]);
    for (let number = 0; number < 10; number++) await log.append(topic, 0, numbered(number));
    for (const from of [0, 3, 0, 7, 3, 6, 9]) {
      const keys = (await log.read(topic, 0, from, { ...readLimits, maxRecords: 3 }, never)).map(({ key }) => Number(key));
      expect(keys).toEqual([from, from + 1, from + 2].filter((number) => number < 10));
    }
    await log.close();
  });

  for (const compression of ["lz4", "zstd"] as const)
    test(`records survive ${compression} compression, and take less room`, async () => {
      const { log, topic } = await newKafkaTopic([broker.address], { compression });
      const value = new Uint8Array(50_000).fill(42);
      await log.append(topic, 0, [{ key: "k", value, headers: { a: "b" } }]);
      const [stored] = await log.read(topic, 0, 0, readLimits, never);
      expect({ ...stored, value: [...(stored?.value ?? [])] }).toMatchObject({ key: "k", headers: { a: "b" }, value: [...value] });
      expect(await bytesOf(topic)).toBeWithin(1, value.length / 10);
      await log.close();
    });

  /** What partition 0 takes on the broker's disk. */
  async function bytesOf(topic: string): Promise<number> {
    const admin = new Admin({ clientId: "disk", bootstrapBrokers: [broker.address] });
    const [disk] = await admin.describeLogDirs({ topics: [{ name: topic, partitions: [0] }] });
    await admin.close();
    return Number(disk?.results[0]?.topics[0]?.partitions[0]?.partitionSize);
  }

  describe("over TLS, by name and password", () => {
    const ways = [["PLAIN", "SECURE"], ...scram.map((mechanism) => [mechanism, "SCRAM"] as const)] as const;
    test.each(ways)("records are appended and read, by %s", async (mechanism, door) => {
      const { log, topic } = await newKafkaTopic([broker.door(door).address], { sasl: { ...sasl, mechanism }, tls: { ca: signed.certificate } });
      await log.append(topic, 0, [{ key: "k", value: new Uint8Array([1, 2]), headers: {} }]);
      expect((await log.read(topic, 0, 0, readLimits, never)).map(({ key, value }) => [key, ...value])).toEqual([["k", 1, 2]]);
      await log.close();
    });

    test("a certificate that another vouches for is refused, and so is a wrong password", async () => {
      const other = await createSelfSigned();
      const tls = { ca: signed.certificate };
      const wrong: readonly ["SECURE" | "SCRAM", Partial<KafkaEventLogOptions>, string][] = [
        ["SECURE", { sasl, tls: { ca: other.certificate } }, "self signed certificate"],
        ["SECURE", { sasl: { ...sasl, password: "wrong" }, tls }, "SASL authentication failed"],
        ["SCRAM", { sasl: { ...sasl, mechanism: "SCRAM-SHA-512", password: "wrong" }, tls }, "SASL authentication failed"],
        ["SECURE", { sasl: { ...sasl, mechanism: "SCRAM-SHA-256" }, tls }, "does not support the requested SASL mechanism"],
      ];
      for (const [door, options, words] of wrong) {
        const log = openKafka([broker.door(door).address], options);
        const failure = await log.ensureTopics([{ topic: "refused", partitions: 1, retentionMs: 3_600_000 }]).catch((error: unknown) => error);
        expect(failure).toBeInstanceOf(LogRefused);
        expect(String(failure)).toContain(words);
        await log.close();
      }
      other.remove();
    }, 30_000);
  });

  test(
    "an append to a paused broker ends at its deadline, its outcome unknown; what follows keeps the order",
    async () => {
      const { log, topic } = await newKafkaTopic([broker.address]);
      await log.append(topic, 0, numbered(1));
      await broker.pause();
      const began = performance.now();
      const failure = await log.append(topic, 0, numbered(2)).catch((error: unknown) => error);
      const tookMs = performance.now() - began;
      broker.signal("SIGCONT");
      expect(String(failure)).toContain("they may or may not be stored");
      expect(tookMs).toBeWithin(kafkaLimits.appendTimeoutMs - 100, kafkaLimits.appendTimeoutMs + 10_000);
      await appendUntilStored(log, topic, 0, numbered(2));
      await log.append(topic, 0, numbered(3));
      const keys = (await readAll(log, topic, 0)).map(({ key }) => key);
      expect([...new Set(keys)]).toEqual(["1", "2", "3"]);
      await log.close();
    },
    slackMs,
  );
} else {
  test.skip(`the Kafka adapter on a real broker (${missing})`, () => {});
}
