/** The Kafka adapter while its broker is killed and started again, and while leaders move to another node. */
import { afterAll, expect, test } from "bun:test";
import { Admin } from "@platformatic/kafka";
import { eventually, startTestBroker } from "@ridegrid/testing";
import { appendUntilStored, never, newKafkaTopic, numbered, readAll, readLimits } from "./kafka-log.fixture.ts";
import { kafkaLimits } from "./limits.kafka.ts";

const slackMs = 60_000;
const broker = await startTestBroker();
afterAll(() => broker.stop());

test(
  "a killed broker fails appends and reads soon, and the same client goes on when it is back, with nothing lost",
  async () => {
    const { log, topic } = await newKafkaTopic([broker.address]);
    await log.append(topic, 0, numbered(1));
    broker.signal("SIGKILL");
    const began = performance.now();
    await expect(log.append(topic, 0, numbered(2))).rejects.toThrow("they may or may not be stored");
    await expect(log.read(topic, 0, 0, readLimits, never)).rejects.toThrow();
    expect(performance.now() - began).toBeLessThan(kafkaLimits.appendTimeoutMs + kafkaLimits.requestTimeoutMs + readLimits.maxWaitMs + 10_000);
    await broker.restart();
    await appendUntilStored(log, topic, 0, numbered(2));
    expect([...new Set((await readAll(log, topic, 0)).map(({ key }) => key))]).toEqual(["1", "2"]);
    await log.close();
  },
  slackMs,
);

test(
  "leaders move to another node, and the same client appends and reads on, in order",
  async () => {
    const second = await broker.joined();
    const { log, topic } = await newKafkaTopic([broker.address, second.address], { replicas: 2 });
    const before = await leadersOf(topic);
    expect([...new Set(before)].toSorted()).toEqual([1, 2]);
    let [failures, rounds, hasEnded] = [0, 0, false];
    const appendRound = async (): Promise<void> => {
      rounds++;
      for (let partition = 0; partition < before.length; partition++) failures += await appendUntilStored(log, topic, partition, numbered(rounds));
    };
    await appendRound();
    const ended = second.stop().then(() => (hasEnded = true));
    while (!hasEnded) await appendRound();
    await ended;
    await eventually(async () => (await leadersOf(topic)).every((leader) => leader === 1), { timeoutMs: 30_000, what: "leaders on the node that stays" });
    await appendRound();
    for (let partition = 0; partition < before.length; partition++) {
      const keys = (await readAll(log, topic, partition)).map(({ key }) => Number(key));
      expect([...new Set(keys)]).toEqual(Array.from({ length: rounds }, (_, index) => index + 1));
    }
    console.log(
      `leaders moved: ${before.filter((leader) => leader === 2).length} of 4 partitions, ${rounds} rounds of appends, ${failures} failed and were repeated`,
    );
    await log.close();
  },
  slackMs,
);

async function leadersOf(topic: string): Promise<readonly number[]> {
  const admin = new Admin({ clientId: "leaders", bootstrapBrokers: [broker.address] });
  const metadata = await admin.metadata({ topics: [topic], forceUpdate: true });
  await admin.close();
  return Object.values(metadata.topics.get(topic)?.partitions ?? {}).map(({ leader }) => leader);
}
