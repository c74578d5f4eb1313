/**
 * Faults of a real broker under a simulated city: each with what was required of the platform and the evidence that it
 * bit, as one table. A fault without evidence fails. `bun run soak broker-faults --only "kill -9"` runs one.
 */
import { Admin } from "@platformatic/kafka";
import { partitionsPerTopic, physicalTopic } from "@ridegrid/contracts";
import { createKafkaEventLog } from "@ridegrid/eventlog/kafka";
import { createTestContext, eventually, startTestBroker, testBrokerMissing } from "@ridegrid/testing";
import { afterAll, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { duplicatesOnTopic, type FaultedCity, recordsOnTopic, withFaultedCity } from "./faulted-city.fixture.ts";
import type { Ended, MeshFolder } from "./mesh.fixture.ts";
import { devIn, startMatching, startOn } from "./start-on.fixture.ts";

const pauseMs = 20_000;
const awayMs = 60_000;
/** From the broker's answer to an outbox without what waited in it. */
const drainedWithinMs = 15_000;
/** Below it, noise of a machine that others use says nothing. */
const flatMs = 500;
const topic = physicalTopic("ewr", "ride-events.v1");

const rows: string[] = [];
const missing = testBrokerMissing();
const faultTimeoutMs = 600_000;

describe.skipIf(missing !== null)(`faults of a real broker${missing === null ? "" : ` (${missing})`}`, () => {
  afterAll(() => console.log(["| fault | required, and seen | evidence that it bit |", "|---|---|---|", ...rows].join("\n")));

  test(
    "kill -9 and restart",
    () =>
      withFaultedCity(async (city) => {
        await city.during(async () => {
          city.broker.signal("SIGKILL");
          await city.broker.restart();
        });
        await tellOutage("the broker killed with SIGKILL and started again", city);
      }),
    faultTimeoutMs,
  );

  test(
    "paused for 20 s",
    () =>
      withFaultedCity(async (city) => {
        await city.during(async () => {
          await city.broker.pause();
          await Bun.sleep(pauseMs);
          city.broker.signal("SIGCONT");
        });
        await tellOutage("SIGSTOP for 20 s", city);
      }),
    faultTimeoutMs,
  );

  test(
    "away for 60 s",
    () =>
      withFaultedCity(async (city) => {
        await city.during(async () => {
          city.broker.signal("SIGKILL");
          await Bun.sleep(awayMs);
          await city.broker.restart();
        });
        await tellOutage("the broker away for 60 s", city);
      }),
    faultTimeoutMs,
  );

  test(
    "an append stored but not answered",
    () =>
      withFaultedCity(async (city) => {
        const { proxy } = city.broker;
        await city.during(() =>
          eventually(
            async () => {
              // Every try of the client must go unanswered, or its own repetition is told from the first.
              if (proxy.waiting() === 0) proxy.loseProduceAnswers(12);
              return (await city.dropped()) > 0;
            },
            { timeoutMs: 90_000, pollMs: 500, what: "a version that the fold drops" },
          ),
        );
        proxy.loseProduceAnswers(-proxy.waiting());
        const ended = await city.ends();
        const [duplicates, dropped, failed] = [await duplicatesOnTopic(city.broker), await city.dropped(), await city.failedAppends()];
        expect(proxy.lost()).toBeGreaterThan(0);
        expect(duplicates).toBeGreaterThan(0);
        expect(dropped).toBeGreaterThan(0);
        tell(
          "an append stored but not answered",
          `one effect: ${ended}`,
          `${proxy.lost()} answers lost, ${failed} appends failed and were repeated, ${duplicates} duplicates of ride events on the topics, ${dropped} versions dropped by the fold`,
        );
      }),
    faultTimeoutMs,
  );

  test(
    "a topic with the wrong partition count",
    () =>
      withFaultedCity(async (city) => {
        const refused = await city.during(async () => {
          const admin = new Admin({ clientId: "partitions", bootstrapBrokers: [city.broker.address] });
          await admin.createPartitions({ topics: [{ name: topic, count: partitionsPerTopic + 1, assignments: [{ brokerIds: [1] }] }], validateOnly: false });
          const count = async (): Promise<number | undefined> =>
            (await admin.metadata({ topics: [topic], forceUpdate: true })).topics.get(topic)?.partitionsCount;
          await eventually(async () => (await count()) === partitionsPerTopic + 1, { timeoutMs: 20_000, what: "the partition more" });
          await admin.close();
          return await startBeside(city);
        });
        expect(refused.code).toBe(1);
        expect(refused.stderr).toContain(`Topic "${topic}" has ${partitionsPerTopic + 1} partitions, the catalogue says ${partitionsPerTopic}`);
        const ended = await city.ends();
        const fresh = await startOnOnePartition();
        tell(
          "a topic with the wrong partition count",
          `no process starts on it, those that run go on: ${ended}`,
          `beside the running mesh, 9 partitions: exit ${refused.code}, "${lastLine(refused)}"; on a broker with 1: exit ${fresh.code}, "${lastLine(fresh)}"`,
        );
      }),
    faultTimeoutMs,
  );

  test(
    "a full replay of ride-events.v1",
    () =>
      withFaultedCity(async (city) => {
        const underLoad = await city.during(() => replay(city));
        const ended = await city.ends();
        await city.outbox.drained();
        const before = await hashOfReadModel(city.folder);
        const atRest = await replay(city);
        const after = await hashOfReadModel(city.folder);
        expect(after).toBe(before);
        const rebuilt = await city.operator("RebuildReadModel", { requestId: crypto.randomUUID(), region: "ewr", model: "rides", reason: "a proof" });
        expect(rebuilt["hashAfter"]).toBe(rebuilt["hashBefore"]);
        expect(await hashOfReadModel(city.folder)).toBe(before);
        tell(
          "a full replay of ride-events.v1, under load and again at rest",
          `state hash ${before.slice(0, 12)} unchanged, also by a rebuild from the log: ${ended}`,
          `${underLoad} and ${atRest} records appended again, ${await city.dropped()} versions dropped by the fold, ${await duplicatesOnTopic(city.broker)} duplicates on the topics`,
        );
      }),
    faultTimeoutMs,
  );
});

function tell(fault: string, required: string, evidence: string): void {
  rows.push(`| ${fault} | ${required} | ${evidence} |`);
}

/** Commands went on as fast as before, and what they wrote was on its way soon after the broker answered. */
async function tellOutage(fault: string, city: FaultedCity): Promise<void> {
  const drained = await city.outbox.drained();
  const failed = await city.failedAppends();
  const { riders } = city;
  const [calls, before, during] = [riders.calls("during"), riders.quantile("before", 0.99), riders.quantile("during", 0.99)];
  const ended = await city.ends();
  expect(failed).toBeGreaterThan(0);
  expect(city.outbox.peak()).toBeGreaterThan(0);
  expect(calls).toBeGreaterThan(0);
  expect(drained).toBeLessThan(drainedWithinMs);
  expect(during).toBeLessThan(Math.max(3 * before, flatMs));
  tell(
    fault,
    `commands go on: ${calls} calls, p99 ${during} ms (${before} ms before); drained ${drained} ms after the broker answered; ${ended}`,
    `${failed} appends failed, outbox peak ${city.outbox.peak()} rows, ${await duplicatesOnTopic(city.broker)} duplicates on the topics, ${await city.dropped()} versions dropped by the fold`,
  );
}

/** Another process of the same platform. */
function startBeside({ folder, broker }: FaultedCity): Promise<Ended> {
  const environment = { DATABASE_URL: folder.file().databaseUrl, RIDEGRID_MESH_TOKEN: "t", KAFKA_BROKERS: broker.address };
  return startOn(environment, startMatching);
}

async function startOnOnePartition(): Promise<Ended> {
  const broker = await startTestBroker();
  const log = createKafkaEventLog({ brokers: [broker.address], clientId: "test", replicas: 1, compression: "none", clock: createTestContext().clock });
  try {
    await log.ensureTopics([{ topic, partitions: 1, retentionMs: 3_600_000 }]);
    const ended = await startOn({ KAFKA_BROKERS: broker.address }, devIn);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain(`Topic "${topic}" has 1 partitions`);
    return ended;
  } finally {
    await log.close();
    await broker.stop();
  }
}

function lastLine({ stderr }: Ended): string {
  return stderr.trimEnd().split("\n").at(-1) ?? "";
}

/** Appends every record of the topic again, in order, and waits until the fold has dropped them all; answers how many. */
async function replay({ broker, dropped }: FaultedCity): Promise<number> {
  const before = await dropped();
  const log = createKafkaEventLog({ brokers: [broker.address], clientId: "replay", replicas: 1, compression: "none", clock: createTestContext().clock });
  let appended = 0;
  for (const [partition, records] of await recordsOnTopic(broker, "ewr"))
    for (let index = 0; index < records.length; index += 500) {
      const page = records.slice(index, index + 500);
      await log.append(topic, partition, page);
      appended += page.length;
    }
  await log.close();
  expect(appended).toBeGreaterThan(0);
  await eventually(async () => (await dropped()) - before >= appended, { timeoutMs: 60_000, what: `${appended} repeated versions dropped` });
  return appended;
}

/** Of what riders, drivers and operators are told about rides: every column but where and when an event was read. */
async function hashOfReadModel(folder: MeshFolder): Promise<string> {
  const sql = postgres(folder.file().databaseUrl, { max: 1 });
  const [row] = await sql<{ hash: string }[]>`
    SELECT encode(sha256(convert_to(
      coalesce((SELECT string_agg(v::text, E'\n' ORDER BY home_region, ride_id) FROM (SELECT home_region, ride_id, status, version, driver_id, ride FROM state.ride_view) v), '') ||
      coalesce((SELECT string_agg(e::text, E'\n' ORDER BY home_region, ride_id, version) FROM (SELECT home_region, ride_id, version, type, event_id, payload FROM state.ride_event) e), ''),
      'UTF8')), 'hex') AS hash`;
  await sql.end();
  if (row === undefined) throw new Error("The read model has no hash");
  return row.hash;
}
