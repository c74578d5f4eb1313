/** Ingest on the embedded log: acknowledged means durable, with the log there, away and back. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { fromBinary } from "@bufbuild/protobuf";
import { type Client, createClient } from "@connectrpc/connect";
import {
  CoordinatorService,
  IngestService,
  partitionsPerTopic,
  physicalTopic,
  createPageDraft,
  type PositionRun,
  type ReportedPosition,
  timestampFromMs,
  topicCatalogue,
} from "@ridegrid/contracts";
import { PositionRejection, type RejectedPosition } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { type PositionBatch, PositionBatchSchema } from "@ridegrid/contracts/gen/event/v1/events_pb";
import type { ForwardPositionsRequest, ForwardPositionsResponse } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { createEmbeddedEventLog } from "@ridegrid/eventlog";
import { createInMemoryTransport, createServiceDirectory, reasonOf } from "@ridegrid/rpc";
import { loadRegions } from "@ridegrid/spatial";
import { createTestContext, createTestDatabase, eventually } from "@ridegrid/testing";
import { createTelemetryIngest } from "./app.ts";

const regions = loadRegions(await Bun.file(new URL("../../deploy/regions.json", import.meta.url)).json());
const topic = physicalTopic("ewr", "driver-telemetry.v1");
const { clock } = createTestContext();
const nowMs = (): number => clock.nowMs();

// The first test may have to start the server.
setDefaultTimeout(30_000);

let ended: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ended.toReversed()) await end();
  ended = [];
});

async function start() {
  const database = await createTestDatabase();
  ended.push(() => database.drop());
  const context = createTestContext();
  const eventLog = createEmbeddedEventLog({ sql: database.sql(), clock: context.clock });
  ended.push(() => eventLog.close());
  await eventLog.ensureTopics(
    topicCatalogue.map(({ name, retentionMs }) => ({ topic: physicalTopic("ewr", name), partitions: partitionsPerTopic, retentionMs })),
  );
  const shift = { startedAtMs: nowMs() - 600_000, asked: 0 };
  const coordinator = createInMemoryTransport((router) =>
    router.service(CoordinatorService, {
      getDriver({ driverId }) {
        shift.asked++;
        return { driver: { driverId, shiftStartTime: timestampFromMs(shift.startedAtMs) } };
      },
    }),
  );
  const ingest = createTelemetryIngest({ context, region: "ewr", regions, eventLog, directory: createServiceDirectory(() => coordinator) });
  await ingest.start();
  ended.push(() => ingest.stop());
  const client = createClient(
    IngestService,
    createInMemoryTransport((router) => ingest.routes(router)),
  );
  return { ingest, client, eventLog, shift, context, database };
}

/** What the topic holds: every batch of the market's partition. */
async function stored(eventLog: Awaited<ReturnType<typeof start>>["eventLog"]): Promise<PositionBatch[]> {
  const records = await eventLog.read(topic, 0, 0, { maxRecords: 1_000, maxBytes: 10_000_000, maxWaitMs: 0 }, new AbortController().signal);
  return records.map((record) => {
    expect(record.key).toBe("nyc");
    return fromBinary(PositionBatchSchema, record.value);
  });
}

function position(
  sequence: number,
  changes: { readonly latitude?: number; readonly longitude?: number; readonly observedAtMs?: number; readonly accuracyM?: number } = {},
): ReportedPosition {
  const { latitude = 40.75, longitude = -73.98, observedAtMs = nowMs(), accuracyM = 8 } = changes;
  return { sequence: BigInt(sequence), latitude, longitude, headingDegrees: 10, speedMps: 5, accuracyM, observedAtMs };
}

const run = (driverId: string, positions: readonly ReportedPosition[], streamId = ""): PositionRun => ({ driverId, positions, streamId });

function page(pageId: number, ...runs: readonly PositionRun[]): ForwardPositionsRequest {
  const draft = createPageDraft();
  for (const each of runs) draft.add(each);
  return draft.message(BigInt(pageId));
}

/** A page of one run. */
const batch = (pageId: number, driverId: string, positions: readonly ReportedPosition[]) => page(pageId, run(driverId, positions));

type Answer = {
  readonly pageId: number;
  readonly run: number;
  readonly ackedSequence: number;
  readonly superseded: boolean;
  readonly rejected: readonly RejectedPosition[];
};

/** Sends pages on one stream of their own and answers what is said of each run. */
async function forward(client: Client<typeof IngestService>, ...pages: readonly ForwardPositionsRequest[]): Promise<Answer[]> {
  return forwardInto([], client, ...pages);
}

/** What was said before the stream failed is in `answers`, too. */
async function forwardInto(answers: Answer[], client: Client<typeof IngestService>, ...pages: readonly ForwardPositionsRequest[]): Promise<Answer[]> {
  for await (const response of client.forwardPositions(listed(pages))) answers.push(...answersIn(response));
  return answers.toSorted((a, b) => a.pageId - b.pageId || a.run - b.run);
}

function answersIn({ pageId, runs, durableSequences, supersededRuns, rejected }: ForwardPositionsResponse): readonly Answer[] {
  return runs.map((index, at) => ({
    pageId: Number(pageId),
    run: index,
    ackedSequence: Number(durableSequences[at]),
    superseded: supersededRuns.includes(index),
    rejected: rejected.flatMap((row) => (row.run === index && row.position !== undefined ? [row.position] : [])),
  }));
}

async function* listed(pages: readonly ForwardPositionsRequest[]) {
  yield* pages;
}

const rejections = (result: Answer | undefined) => result?.rejected.map((one) => [Number(one.sequence), PositionRejection[one.reason]]);

describe("telemetry-ingest", () => {
  test("takes nothing of an older stream once a newer one of the driver is known", async () => {
    const { client, eventLog } = await start();
    const [older, newer] = ["0199c0de-0000-7000-8000-000000000001", "0199c0df-0000-7000-8000-000000000001"];
    const on = (streamId: string, pageId: number, sequence: number) => page(pageId, run("d-1", [position(sequence)], streamId));
    const [first] = await forward(client, on(older, 1, 1));
    const [second] = await forward(client, on(newer, 2, 2));
    const [late] = await forward(client, on(older, 3, 3));
    expect([first, second, late].map((one) => [one?.superseded, Number(one?.ackedSequence)])).toEqual([
      [false, 1],
      [false, 2],
      [true, 2],
    ]);
    expect((await stored(eventLog)).flatMap(({ sequences }) => sequences.map(Number))).toEqual([1, 2]);
  });

  test("acknowledges what is in the topic, one record for many drivers, the newest position of each", async () => {
    const { client, eventLog, context } = await start();
    const results = await forward(client, page(1, run("d-1", [position(1), position(2)]), run("d-2", [position(7, { latitude: 40.7 })])));
    expect(results.map((one) => [one.run, one.ackedSequence, one.rejected.length])).toEqual([
      [0, 2, 0],
      [1, 7, 0],
    ]);
    const batches = await stored(eventLog);
    expect(batches.map((one) => [one.marketId, one.driverIds, one.sequences.map(Number), one.latitudes])).toEqual([
      ["nyc", ["d-1", "d-2"], [2, 7], [40.75, 40.7]],
    ]);
    expect(await context.metricsText()).toContain('telemetry_positions_total{region="ewr",outcome="accepted"} 3');
  });

  test("refuses each bad position with its reason and takes the good ones of the same batch", async () => {
    const { client, eventLog } = await start();
    const bad = [
      position(1, { latitude: Number.NaN }),
      position(2, { accuracyM: 201 }),
      position(3, { observedAtMs: nowMs() - 61_000 }),
      position(4, { observedAtMs: nowMs() + 20_000 }),
      position(5, { latitude: 0, longitude: 0 }),
      position(6, { latitude: 51.5, longitude: -0.1 }),
    ];
    const [result] = await forward(client, batch(1, "d-1", [...bad, position(7)]));
    expect(rejections(result)).toEqual([
      [1, "OUT_OF_RANGE"],
      [2, "TOO_INACCURATE"],
      [3, "TOO_OLD"],
      [4, "IN_THE_FUTURE"],
      [5, "OUTSIDE_SERVICE_AREA"],
      [6, "OUTSIDE_SERVICE_AREA"],
    ]);
    expect(Number(result?.ackedSequence)).toBe(7);
    expect((await stored(eventLog)).flatMap((one) => one.sequences.map(Number))).toEqual([7]);
  });

  test("a position sent again is refused, and the answer still says what is durable", async () => {
    const { client, eventLog, shift } = await start();
    const first = position(5);
    await forward(client, batch(1, "d-1", [first]));
    const [again] = await forward(client, batch(2, "d-1", [first]));
    expect([rejections(again), Number(again?.ackedSequence)]).toEqual([[[5, "OUT_OF_ORDER"]], 5]);
    expect(shift.asked).toBe(0);
    expect(await stored(eventLog)).toHaveLength(1);
  });

  test("a sequence that starts again is believed in a new shift only, and the coordinator is asked once in two seconds", async () => {
    const { client, shift } = await start();
    await forward(client, batch(1, "d-1", [position(500, { observedAtMs: nowMs() - 3_000 })]));
    const [old] = await forward(client, batch(2, "d-1", [position(1), position(2)]));
    expect([rejections(old), shift.asked]).toEqual([
      [
        [1, "OUT_OF_ORDER"],
        [2, "OUT_OF_ORDER"],
      ],
      1,
    ]);
    await forward(client, batch(3, "d-2", [position(500, { observedAtMs: nowMs() - 3_000 })]));
    shift.startedAtMs = nowMs() - 1_000;
    const [fresh] = await forward(client, batch(4, "d-2", [position(1), position(2, { observedAtMs: nowMs() + 1 })]));
    expect([rejections(fresh), Number(fresh?.ackedSequence), shift.asked]).toEqual([[], 2, 2]);
  });

  test("with the log away nothing is acknowledged and streams end with DEPENDENCY_AWAY; when it returns the same report is taken", async () => {
    const { client, ingest, database, eventLog } = await start();
    await forward(client, batch(1, "d-1", [position(1)]));
    await database.admin().unsafe(`ALTER DATABASE ${database.name} ALLOW_CONNECTIONS false`);
    await database.admin()`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ${database.name}`;
    const report = position(2);
    const answers: Answer[] = [];
    const failure: unknown = await forwardInto(answers, client, batch(2, "d-1", [report])).catch((error: unknown) => error);
    expect([reasonOf(failure), answers]).toEqual(["DEPENDENCY_AWAY", []]);
    expect(ingest.readiness()).toMatchObject([{ name: "event log", ready: false }]);
    const { health } = await client.getIngestHealth({});
    expect(health?.processes).toMatchObject([{ name: "telemetry-ingest.ewr", ready: false }]);
    await database.admin().unsafe(`ALTER DATABASE ${database.name} ALLOW_CONNECTIONS true`);
    await eventually(() => ingest.readiness()[0]?.ready === true, { timeoutMs: 8_000, what: "the log answers again" });
    const [result] = await forward(client, batch(3, "d-1", [report]));
    expect([Number(result?.ackedSequence), rejections(result)]).toEqual([2, []]);
    expect((await stored(eventLog)).flatMap((one) => one.sequences.map(Number))).toContain(2);
  });

  test("a stop makes what it took durable, answers it, and ends the stream with DRAINING", async () => {
    const { client, ingest, eventLog, context } = await start();
    const open = Promise.withResolvers<void>();
    const results: Answer[] = [];
    async function* requests() {
      yield batch(1, "d-1", [position(1)]);
      await open.promise;
    }
    const stream = (async () => {
      for await (const response of client.forwardPositions(requests())) results.push(...answersIn(response));
    })().catch((error: unknown) => error);
    await eventually(async () => (await context.metricsText()).includes('outcome="accepted"} 1'), { what: "the position was taken" });
    await ingest.stop();
    expect(reasonOf(await stream)).toBe("DRAINING");
    open.resolve();
    expect(results.map((one) => Number(one.ackedSequence))).toEqual([1]);
    expect((await stored(eventLog)).flatMap((one) => one.sequences.map(Number))).toEqual([1]);
  });
});
