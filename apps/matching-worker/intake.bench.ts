/** What positions cost the matching worker: from the records of a log to its drivers' columns, and its whole process at 25,000 a second. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { physicalTopic } from "@ridegrid/contracts";
import { PositionBatchSchema } from "@ridegrid/contracts/gen/event/v1/events_pb";
import { driverId } from "@ridegrid/domain";
import { createEmbeddedEventLog, type EventLog, type LogRecord } from "@ridegrid/eventlog";
import { createKafkaEventLog } from "@ridegrid/eventlog/kafka";
import { startKafkaBroker } from "@ridegrid/runtime";
import {
  cpuSeconds,
  createMovingFleet,
  createTestContext,
  createTestDatabase,
  eventually,
  type Figure,
  type FleetColumns,
  freePort,
  type Measurement,
  testBrokerMissing,
} from "@ridegrid/testing";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { applyPositionsRecord } from "./apply-record.ts";
import { createLogFollower } from "./log-follower.ts";
import { createMarketState } from "./market-state.ts";
import { createWorkerFixture } from "./matching-worker.fixture.ts";
import { availableDriver, nyc, startMs } from "./matching.fixtures.ts";
import { createHaversineTravelTime } from "./travel-time.haversine.ts";

const topic = physicalTopic("ewr", "driver-telemetry.v1");
const fleet = { drivers: 100_000, center: nyc.center, seed: 7 };
const [perFlush, flushesPerSecond] = [2_500, 10];
/** Drained: twenty seconds' worth, in turn with the peer. */
const lengths = { full: { drainedFlushes: 200, rounds: 5, liveSeconds: 10 }, quick: { drainedFlushes: 50, rounds: 2, liveSeconds: 3 } };
type Length = (typeof lengths)["full"] & { readonly signal: AbortSignal };

export const figures: readonly Figure[] = [
  {
    name: "intake",
    doc: "matching-worker: positions of one market, 100,000 drivers, records as ingest writes them each 100 ms; processor time of the whole process",
    async run({ quick, signal }) {
      const length = { ...(quick ? lengths.quick : lengths.full), signal };
      const measured = [await withEmbedded((log) => drain("embedded log", log, length))];
      const missing = testBrokerMissing();
      if (missing === null) measured.push(await withKafka((log) => drain("log of Apache Kafka", log, length)));
      else process.stderr.write(`Measuring without Kafka: ${missing}\n`);
      return [...measured, ...(await live(length))];
    },
  },
];

function recordOf(columns: FleetColumns): LogRecord {
  const value = toBinary(PositionBatchSchema, create(PositionBatchSchema, { marketId: nyc.marketId, ...columns }));
  return { key: nyc.marketId, value, headers: { "event-id": crypto.randomUUID(), type: "PositionBatch" } };
}

async function drain(where: string, log: EventLog, { drainedFlushes, rounds, signal }: Length): Promise<Measurement> {
  await log.ensureTopics([{ topic, partitions: 1, retentionMs: 3_600_000 }]);
  const reports = createMovingFleet(fleet);
  for (let flush = 0; flush < drainedFlushes; flush++) {
    for (const columns of reports.report(perFlush, startMs + (flush * 1_000) / flushesPerSecond)) await log.append(topic, 0, [recordOf(columns)]);
  }
  const positions = drainedFlushes * perFlush;
  const [samples, decoded] = [new Array<number>(), new Array<number>()];
  for (let round = 0; round < rounds; round++) {
    signal.throwIfAborted();
    const state = createMarketState(nyc, createHaversineTravelTime(nyc.travel));
    samples.push(positions / (await cpuSeconds(() => followAll(log, (value) => applyPositionsRecord(state, value)))));
    if (state.drivers.points.size !== fleet.drivers) throw new Error(`Cannot count: ${state.drivers.points.size} of ${fleet.drivers} drivers were placed`);
    decoded.push(positions / (await cpuSeconds(() => followAll(log, (value) => fromBinary(PositionBatchSchema, value)))));
  }
  const peer = { what: "reading and decoding alone", samples: decoded };
  return { what: `matching-worker drains the ${where}`, unit: "positions per CPU-second", samples, peer };
}

async function followAll(eventLog: EventLog, apply: (value: Uint8Array) => unknown): Promise<void> {
  const { end } = await eventLog.bounds(topic, 0);
  const done = new AbortController();
  const follower = createLogFollower({
    context: createTestContext(),
    eventLog,
    topic,
    partition: 0,
    fromOffset: 0,
    onRecord({ offset, value }) {
      apply(value);
      if (offset === end - 1) done.abort();
    },
  });
  await follower.run(done.signal);
}

/** Ticks, leases, snapshots of supply and this very writing of the records to the log are in it. */
async function live({ liveSeconds, signal }: Length): Promise<readonly Measurement[]> {
  const fixture = await createWorkerFixture();
  try {
    const reports = createMovingFleet(fleet);
    fixture.openWork.drivers = reports.driverIds.map((id) => availableDriver(driverId(id)));
    const { worker, client } = fixture.worker();
    await worker.start();
    await eventually(() => worker.readiness().every(({ ready }) => ready), { timeoutMs: 60_000, what: "the worker matches its market" });
    const atRest: number[] = [];
    for (let second = 0; second < liveSeconds; second++) atRest.push(await cpuSeconds(() => sleep(1_000, undefined, { signal })));
    const beganAtMs = fixture.clock.nowMs() + 5_000;
    const flushAtMs = (flush: number): number => beganAtMs + (flush * 1_000) / flushesPerSecond;
    const flushes = Array.from({ length: liveSeconds * flushesPerSecond }, (_, flush) => reports.report(perFlush, flushAtMs(flush)).map(recordOf));
    const samples: number[] = [];
    for (let second = 0; second < liveSeconds; second++) {
      signal.throwIfAborted();
      const writeSecond = async (): Promise<void> => {
        for (let flush = second * flushesPerSecond; flush < (second + 1) * flushesPerSecond; flush++) {
          await sleep(Math.max(0, flushAtMs(flush) - fixture.clock.nowMs()));
          for (const record of flushes[flush] ?? []) await fixture.append("driver-telemetry.v1", record);
        }
      };
      samples.push(await cpuSeconds(writeSecond));
    }
    const last = reports.driverIds[(liveSeconds * flushesPerSecond * perFlush - 1) % fleet.drivers] ?? "";
    const isThere = async (): Promise<boolean> => (await client.lastPosition({ marketId: nyc.marketId, driverId: last })).location !== undefined;
    await eventually(isThere, { timeoutMs: 30_000, what: "the last position reported is known" });
    const [what, unit] = ["matching-worker at 25,000 positions/s, ticking", "CPU-seconds a second"];
    return [
      { what, unit, samples, peer: { what: "ticking without positions", samples: atRest } },
      { what: `${what}, the bar`, unit, samples, goal: { atMost: 1 } },
    ];
  } finally {
    await fixture.close();
  }
}

async function withEmbedded(work: (log: EventLog) => Promise<Measurement>): Promise<Measurement> {
  const database = await createTestDatabase();
  const log = createEmbeddedEventLog({ sql: database.sql(), clock: createTestContext().clock });
  try {
    return await work(log);
  } finally {
    await log.close();
    await database.drop();
  }
}

async function withKafka(work: (log: EventLog) => Promise<Measurement>): Promise<Measurement> {
  const dataDirectory = mkdtempSync(join(tmpdir(), "ridegrid-intake-"));
  const broker = await startKafkaBroker({ dataDirectory, port: await freePort(), controllerPort: await freePort(), heapMegabytes: 384 });
  const log = createKafkaEventLog({ brokers: [broker.address], clientId: "intake", replicas: 1, compression: "none", clock: createTestContext().clock });
  try {
    return await work(log);
  } finally {
    await log.close();
    await broker.stop();
    rmSync(dataDirectory, { recursive: true, force: true });
  }
}
