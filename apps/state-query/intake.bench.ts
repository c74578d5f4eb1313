/** What positions cost state-query: from the records of a log to the last positions, and its whole process with watchers at 25,000 a second. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { physicalTopic } from "@ridegrid/contracts";
import { PositionBatchSchema } from "@ridegrid/contracts/gen/event/v1/events_pb";
import {
  cpuSeconds,
  createMovingFleet,
  createSeededRandom,
  createSequentialIds,
  createTestContext,
  eventually,
  type Figure,
  type FleetColumns,
  type Measurement,
} from "@ridegrid/testing";
import { setTimeout as sleep } from "node:timers/promises";
import { createCity, offerAccepted, offerSent } from "./city.fixture.ts";
import { followTopic } from "./follow-topic.ts";
import { createLastPositions } from "./last-positions.ts";
import { positionsBackfillMs, positionsMax } from "./limits.ts";
import { as, createTestRegion, region, type StateProcess, type TestRegion } from "./region.fixture.ts";

const topic = physicalTopic(region, "driver-telemetry.v1");
const fleet = { drivers: 100_000, center: { latitude: 40.75, longitude: -73.95 }, seed: 7 };
const [perFlush, flushesPerSecond] = [2_500, 10];
/** Drained: twenty seconds' worth, in turn with the peer. */
const lengths = { full: { drainedFlushes: 200, rounds: 5, liveSeconds: 10 }, quick: { drainedFlushes: 50, rounds: 2, liveSeconds: 3 } };
type Length = (typeof lengths)["full"] & { readonly signal: AbortSignal };
const watchers = 500;

export const figures: readonly Figure[] = [
  {
    name: "intake",
    doc: "state-query: positions of one market, 100,000 drivers, records as ingest writes them each 100 ms; processor time of the whole process",
    async run({ quick, signal }) {
      const length = { ...(quick ? lengths.quick : lengths.full), signal };
      return [await inRegion((test) => drain(test, length)), ...(await inRegion((test) => live(test, length)))];
    },
  },
];

async function inRegion<T>(measure: (test: TestRegion) => Promise<T>): Promise<T> {
  const test = await createTestRegion();
  try {
    return await measure(test);
  } finally {
    await test.close();
  }
}

function recordOf(columns: FleetColumns) {
  const value = toBinary(PositionBatchSchema, create(PositionBatchSchema, { marketId: "nyc", ...columns }));
  return { key: "nyc", value, headers: { "event-id": crypto.randomUUID(), type: "PositionBatch" } };
}

async function drain(test: TestRegion, { drainedFlushes, rounds, signal }: Length): Promise<Measurement> {
  const reports = createMovingFleet(fleet);
  const { clock } = createTestContext();
  const startMs = clock.nowMs();
  for (let flush = 0; flush < drainedFlushes; flush++) {
    for (const columns of reports.report(perFlush, startMs + flush)) await test.log.append(topic, 0, [recordOf(columns)]);
  }
  const count = drainedFlushes * perFlush;
  const [samples, decoded] = [new Array<number>(), new Array<number>()];
  for (let round = 0; round < rounds; round++) {
    signal.throwIfAborted();
    const positions = createLastPositions({ max: positionsMax });
    samples.push(count / (await cpuSeconds(() => followAll(test, (value) => positions.apply(fromBinary(PositionBatchSchema, value), Infinity)))));
    if (positions.size() !== fleet.drivers) throw new Error(`Cannot count: ${positions.size()} of ${fleet.drivers} drivers have a place`);
    decoded.push(count / (await cpuSeconds(() => followAll(test, (value) => fromBinary(PositionBatchSchema, value)))));
  }
  const peer = { what: "reading and decoding alone", samples: decoded };
  return { what: "state-query drains the embedded log", unit: "positions per CPU-second", samples, peer };
}

async function followAll({ log }: TestRegion, apply: (value: Uint8Array) => unknown): Promise<void> {
  const done = new AbortController();
  const { end } = await log.bounds(topic, 0);
  let read = 0;
  const following = { context: createTestContext(), region, eventLog: log, name: "driver-telemetry.v1", backfillMs: 60 * positionsBackfillMs } as const;
  const applyOne = (value: Uint8Array): void => {
    apply(value);
    if (++read === end) done.abort();
  };
  await followTopic({ ...following, apply: applyOne }, 0, done.signal);
}

/** Folding, searches by place in the tables, location messages to riders, and this very writing of the records to the log are in it. */
async function live(test: TestRegion, { liveSeconds, signal }: Length): Promise<readonly Measurement[]> {
  const reports = createMovingFleet(fleet);
  const process = await test.process();
  const { clock } = process.context;
  const watching = await watch(test, process, { drivers: reports.driverIds.slice(0, watchers), nowMs: () => clock.nowMs() });
  const atRest: number[] = [];
  for (let second = 0; second < liveSeconds; second++) atRest.push(await cpuSeconds(() => sleep(1_000, undefined, { signal })));
  const beganAtMs = clock.nowMs() + 3_000;
  const flushAtMs = (flush: number): number => beganAtMs + (flush * 1_000) / flushesPerSecond;
  const flushes = Array.from({ length: liveSeconds * flushesPerSecond }, (_, flush) => reports.report(perFlush, flushAtMs(flush)).map(recordOf));
  const samples: number[] = [];
  for (let second = 0; second < liveSeconds; second++) {
    signal.throwIfAborted();
    const writeSecond = async (): Promise<void> => {
      for (let flush = second * flushesPerSecond; flush < (second + 1) * flushesPerSecond; flush++) {
        await sleep(Math.max(0, flushAtMs(flush) - clock.nowMs()));
        for (const record of flushes[flush] ?? []) await test.log.append(topic, 0, [record]);
      }
    };
    samples.push(await cpuSeconds(writeSecond));
  }
  await eventually(() => watching.told() === watchers, { timeoutMs: 30_000, what: "every watcher is told where the driver is" });
  await watching.leave();
  const [what, unit] = [`state-query at 25,000 positions/s, ${watchers} riders watching`, "CPU-seconds a second"];
  return [
    { what, unit, samples, peer: { what: "the riders watching, without positions", samples: atRest } },
    { what: `${what}, the bar`, unit, samples, goal: { atMost: 1 } },
  ];
}

type Watched = { readonly drivers: readonly string[]; readonly nowMs: () => number };

/** A ride for each driver, and its rider's stream. */
async function watch(test: TestRegion, { client }: StateProcess, { drivers, nowMs }: Watched) {
  const ids = createSequentialIds(1);
  const city = createCity({ random: createSeededRandom(1), ids, nowMs });
  const leaving = new AbortController();
  const located = new Set<string>();
  const follow = async (rideId: string): Promise<void> => {
    const stream = client.watchRide({ region, command: { rideId } }, as("rider", "r-0", leaving.signal));
    for await (const { message } of stream) if (message?.update.case === "driverLocation") located.add(rideId);
  };
  const streams = new Array<Promise<void>>();
  for (const driver of drivers) {
    const { rideId, change } = city.request("r-0");
    const changes = [city.goOnline(driver), change, city.happen(rideId, offerSent(ids), driver)];
    await test.append([...changes, city.happen(rideId, offerAccepted(city.ride(rideId)))]);
    streams.push(follow(rideId).catch(() => {}));
  }
  return {
    told: () => located.size,
    async leave() {
      leaving.abort();
      await Promise.all(streams);
    },
  };
}
