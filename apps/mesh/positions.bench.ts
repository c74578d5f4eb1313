/**
 * Positions from phones to the log: 2,000 streams on sockets of their own, through a gateway and an ingest in processes
 * of their own, every position acknowledged and the topic read back. Beside a bare HTTP/2 server that sends each message
 * back at once, where the gateway says of several at a time that they are durable.
 */
import { type Figure, type FigureOptions, type Measurement, testBrokerMissing } from "@ridegrid/testing";
import {
  type Drivers,
  type DriversOptions,
  type MeasuredServer,
  type Round,
  type RoundOutcome,
  startDrivers,
  startServer,
  type Usage,
} from "./position-drivers.fixture.ts";
import { type PositionsPlatform, startPositionsPlatform } from "./positions-platform.fixture.ts";

const drivers = 2_000;
const rounds = 3;
/** Not counted, of both at once: a process compiles what it runs often within its first half minute. */
const warmUp: Round = { positions: 200_000, perSecond: 8_000, burst: 1 };
/** 10,000 a second: five of each driver's, spread evenly. */
const steady: Round = { positions: 20_000, perSecond: 10_000, burst: 1 };
/** What phones hold back on a bad connection comes in handfuls, at half the rate that each driver may keep up. */
const handfuls: Round = { positions: 40_000, perSecond: 20_000, burst: 10 };
/** Long enough for an ingest to be stopped in the middle of it. */
const stalled: Round = { positions: 80_000, perSecond: 10_000, burst: 1 };
const stalledMs = 5_000;

const doc = (log: string): string =>
  `${drivers} StreamPositions streams, each on a connection of its own, by gateway and ingest in two processes to ${log}; the peer is one bare node:http2 server that sends each message back`;

export const figures: readonly Figure[] = [
  { name: "positions", doc: doc("the embedded log"), run: measureOnEmbedded },
  { name: "positions-kafka", doc: doc("a real Kafka broker"), run: measureOnKafka },
];

async function measureOnEmbedded(options: FigureOptions): Promise<readonly Measurement[]> {
  const measured: Measurement[] = [];
  // One after the other: they share the machine.
  for (const way of ways) measured.push(...(await measureOn("embedded", way, options)));
  return measured;
}

async function measureOnKafka(options: FigureOptions): Promise<readonly Measurement[]> {
  const missing = testBrokerMissing();
  if (missing === null) return measureOn("kafka", nativeGrpc, options);
  process.stderr.write(`Not measured on Kafka: ${missing}\n`);
  return [];
}

type Way = { readonly what: string; readonly port: "port" | "grpcPort"; readonly contentType: DriversOptions["contentType"] };

const nativeGrpc: Way = { what: "native gRPC", port: "grpcPort", contentType: "application/grpc" };
const ways: readonly Way[] = [nativeGrpc, { what: "Connect h2c", port: "port", contentType: "application/connect+proto" }];

async function measureOn(log: "embedded" | "kafka", way: Way, figure: FigureOptions): Promise<readonly Measurement[]> {
  await using platform = await startPositionsPlatform(log);
  await using echo = await startServer("echo-streams.ts", {});
  const options = { contentType: way.contentType, driversPerConnection: 1 };
  const [before, echoBefore] = [await platform.gateway.usageAtRest(), await echo.usageAtRest()];
  await using phones = await startDrivers({ ...options, port: platform[way.port], echoed: false }, await platform.tokens(drivers));
  await using echoPhones = await startDrivers({ ...options, port: echo.ready[way.port], echoed: true }, new Array<string>(drivers).fill(""));
  const idleKb = [perStreamKb(before, await platform.gateway.usageAtRest())];
  const echoIdleKb = [perStreamKb(echoBefore, await echo.usageAtRest())];
  const turns = await takeTurns({ platform, echo, phones, echoPhones }, { rounds: figure.quick ? 1 : rounds, signal: figure.signal });
  const stall = await withIngestStopped(platform, () => phones.run(stalled));
  const where = `${way.what}, ${log} log`;
  const unit = "positions per CPU-second";
  const peer = (samples: readonly number[]) => ({ what: "bare echo", samples });
  return [
    { what: `${where}: 10,000/s`, unit, samples: turns.steady, peer: peer(turns.echoSteady) },
    { what: `${where}: 10,000/s, the bar`, unit, samples: turns.steady, goal: { atLeast: 20_000 } },
    { what: `${where}: 10,000/s, gateway's CPU for a position`, unit: "µs", samples: turns.gatewayMicros, peer: peer(turns.echoMicros) },
    { what: `${where}: 10,000/s, ingest's CPU for a position`, unit: "µs", samples: turns.ingestMicros, peer: peer(turns.echoMicros) },
    { what: `${where}: 20,000/s in handfuls of 10`, unit, samples: turns.handfuls, peer: peer(turns.echoHandfuls) },
    { what: `${where}: 10,000/s, sent to read from the topic p50`, unit: "ms", samples: turns.durableP50Ms, peer: peer(turns.echoP50Ms) },
    { what: `${where}: 10,000/s, sent to read from the topic p99, the bar`, unit: "ms", samples: turns.durableP99Ms, goal: { atMost: 400 } },
    { what: `${where}: 10,000/s, sent to acknowledged p50`, unit: "ms", samples: turns.ackedP50Ms, peer: peer(turns.echoP50Ms) },
    { what: `${where}: 10,000/s, sent to acknowledged p99`, unit: "ms", samples: turns.ackedP99Ms, peer: peer(turns.echoP99Ms) },
    { what: `${where}: gateway's memory for an idle stream`, unit: "KB", samples: idleKb, peer: peer(echoIdleKb) },
    { what: `${where}: gateway's memory for an idle stream, the bar`, unit: "KB", samples: idleKb, goal: { atMost: 60 } },
    {
      ...{ what: `${where}: ingest stopped for 5 s at 10,000/s, sent to acknowledged p99`, unit: "ms", samples: [stall.p99Ms] },
      peer: { what: "the same, not stopped", samples: turns.ackedP99Ms },
    },
    {
      ...{ what: `${where}: acknowledged and not in the topic, of all`, unit: "positions", samples: [await lost(platform, stall)], goal: { atMost: 0 } },
      note: `of ${stall.lastAcked.reduce((sum, acked) => sum + acked, 0).toLocaleString("en-US")} that were acknowledged, a count without a peer`,
    },
  ];
}

function perStreamKb(from: Usage, to: Usage): number {
  return (to.residentBytes - from.residentBytes) / 1_000 / drivers;
}

async function withIngestStopped({ ingest }: PositionsPlatform, run: () => Promise<RoundOutcome>): Promise<RoundOutcome> {
  const outcome = run();
  await Bun.sleep(1_000);
  process.kill(ingest.pid, "SIGSTOP");
  await Bun.sleep(stalledMs);
  process.kill(ingest.pid, "SIGCONT");
  return outcome;
}

type Sides = { readonly platform: PositionsPlatform; readonly echo: MeasuredServer; readonly phones: Drivers; readonly echoPhones: Drivers };

/** Round by round, one server after the other: what else the machine does falls on both. */
async function takeTurns({ platform, echo, phones, echoPhones }: Sides, { rounds: turns, signal }: { readonly rounds: number; readonly signal: AbortSignal }) {
  const samples: Record<SampleName, number[]> = {
    ...{ steady: [], gatewayMicros: [], ingestMicros: [], handfuls: [] },
    ...{ durableP50Ms: [], durableP99Ms: [], ackedP50Ms: [], ackedP99Ms: [] },
    ...{ echoSteady: [], echoMicros: [], echoHandfuls: [], echoP50Ms: [], echoP99Ms: [] },
  };
  await Promise.all([phones.run(warmUp), echoPhones.run(warmUp)]);
  for (let turn = 0; turn < turns; turn++) {
    signal.throwIfAborted();
    await platform.durable.sinceLast();
    const calm = await measured([platform.gateway, platform.ingest], () => phones.run(steady));
    const durableMs = (await platform.durable.sinceLast()).toSorted((a, b) => a - b);
    if (durableMs.length !== steady.positions) throw new Error(`Of ${steady.positions} positions ${durableMs.length} were read from the topic`);
    samples.steady.push(calm.perCpuSecond);
    samples.gatewayMicros.push(calm.micros[0] ?? Number.NaN);
    samples.ingestMicros.push(calm.micros[1] ?? Number.NaN);
    samples.durableP50Ms.push(durableMs[Math.floor(durableMs.length * 0.5)] ?? Number.NaN);
    samples.durableP99Ms.push(durableMs[Math.floor(durableMs.length * 0.99)] ?? Number.NaN);
    samples.ackedP50Ms.push(calm.outcome.p50Ms);
    samples.ackedP99Ms.push(calm.outcome.p99Ms);
    const echoed = await measured([echo], () => echoPhones.run(steady));
    samples.echoSteady.push(echoed.perCpuSecond);
    samples.echoMicros.push(echoed.micros[0] ?? Number.NaN);
    samples.echoP50Ms.push(echoed.outcome.p50Ms);
    samples.echoP99Ms.push(echoed.outcome.p99Ms);
    samples.handfuls.push((await measured([platform.gateway, platform.ingest], () => phones.run(handfuls))).perCpuSecond);
    samples.echoHandfuls.push((await measured([echo], () => echoPhones.run(handfuls))).perCpuSecond);
  }
  return samples;
}

type SampleName =
  | "steady"
  | "gatewayMicros"
  | "ingestMicros"
  | "handfuls"
  | "echoSteady"
  | "echoMicros"
  | "echoHandfuls"
  | `${"durable" | "acked" | "echo"}${"P50Ms" | "P99Ms"}`;

/** What each of the servers used for one position. */
async function measured(servers: readonly MeasuredServer[], run: () => Promise<RoundOutcome>) {
  const before = await Promise.all(servers.map((server) => server.usage()));
  const outcome = await run();
  const after = await Promise.all(servers.map((server) => server.usage()));
  const micros = after.map(({ cpuSeconds }, server) => ((cpuSeconds - (before[server]?.cpuSeconds ?? 0)) * 1e6) / outcome.acked);
  return { outcome, micros, perCpuSecond: 1e6 / micros.reduce((sum, each) => sum + each, 0) };
}

/** Positions that were acknowledged and are above what the topic holds of their driver. */
async function lost(platform: PositionsPlatform, { lastAcked }: RoundOutcome): Promise<number> {
  const durable = await platform.durable.sequences(drivers);
  return lastAcked.reduce((sum, acked, driver) => sum + Math.max(0, acked - (durable[driver] ?? 0)), 0);
}
