/**
 * Positions from phones to the log: 2,000 streams on sockets of their own, through a gateway and an ingest in processes
 * of their own, every position acknowledged and the topic read back. Beside a bare HTTP/2 server that sends each message back.
 */
import { type Figure, type FigureOptions, type Measurement, testBrokerMissing } from "@ridegrid/testing";
import { type DriversOptions, type MeasuredServer, type Round, type RoundOutcome, startDrivers, startServer, type Usage } from "./position-drivers.fixture.ts";
import { type PositionsPlatform, startPositionsPlatform } from "./positions-platform.fixture.ts";

const drivers = 2_000;
const rounds = 3;
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
  const turns = await takeTurns(
    { platform, echo },
    { run: (round) => phones.run(round), runEcho: (round) => echoPhones.run(round), rounds: figure.quick ? 1 : rounds, signal: figure.signal },
  );
  const stall = await withIngestStopped(platform, () => phones.run(stalled));
  const where = `${way.what}, ${log} log`;
  const unit = "positions per CPU-second";
  const peer = (samples: readonly number[]) => ({ what: "bare echo", samples });
  return [
    { what: `${where}: 10,000/s`, unit, samples: turns.steady, peer: peer(turns.echoSteady) },
    { what: `${where}: 10,000/s, the bar`, unit, samples: turns.steady, goal: { atLeast: 20_000 } },
    { what: `${where}: 20,000/s in handfuls of 10`, unit, samples: turns.handfuls, peer: peer(turns.echoHandfuls) },
    { what: `${where}: 10,000/s, sent to acknowledged p50`, unit: "ms", samples: turns.p50Ms, peer: peer(turns.echoP50Ms) },
    { what: `${where}: 10,000/s, sent to acknowledged p99`, unit: "ms", samples: turns.p99Ms, peer: peer(turns.echoP99Ms) },
    { what: `${where}: 10,000/s, p99, the bar`, unit: "ms", samples: turns.p99Ms, goal: { atMost: 400 } },
    { what: `${where}: gateway's memory for an idle stream`, unit: "KB", samples: idleKb, peer: peer(echoIdleKb) },
    { what: `${where}: gateway's memory for an idle stream, the bar`, unit: "KB", samples: idleKb, goal: { atMost: 60 } },
    { what: `${where}: ingest stopped for 5 s at 10,000/s, sent to acknowledged p99`, unit: "ms", samples: [stall.p99Ms] },
    { what: `${where}: acknowledged and not in the topic, of all`, unit: "positions", samples: [await lost(platform, stall)], goal: { atMost: 0 } },
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

type Servers = { readonly platform: PositionsPlatform; readonly echo: MeasuredServer };
type Run = (round: Round) => Promise<RoundOutcome>;
type Turns = { readonly run: Run; readonly runEcho: Run; readonly rounds: number; readonly signal: AbortSignal };

/** Round by round, one server after the other: what else the machine does falls on both. */
async function takeTurns({ platform, echo }: Servers, { run, runEcho, rounds: turns, signal }: Turns) {
  const samples = {
    steady: new Array<number>(),
    echoSteady: new Array<number>(),
    handfuls: new Array<number>(),
    echoHandfuls: new Array<number>(),
    p50Ms: new Array<number>(),
    p99Ms: new Array<number>(),
    echoP50Ms: new Array<number>(),
    echoP99Ms: new Array<number>(),
  };
  for (let turn = 0; turn < turns; turn++) {
    signal.throwIfAborted();
    const calm = await measured(
      () => platform.usage(),
      () => run(steady),
    );
    samples.steady.push(calm.perCpuSecond);
    samples.p50Ms.push(calm.outcome.p50Ms);
    samples.p99Ms.push(calm.outcome.p99Ms);
    const echoed = await measured(
      () => echo.usage(),
      () => runEcho(steady),
    );
    samples.echoSteady.push(echoed.perCpuSecond);
    samples.echoP50Ms.push(echoed.outcome.p50Ms);
    samples.echoP99Ms.push(echoed.outcome.p99Ms);
    samples.handfuls.push(
      (
        await measured(
          () => platform.usage(),
          () => run(handfuls),
        )
      ).perCpuSecond,
    );
    samples.echoHandfuls.push(
      (
        await measured(
          () => echo.usage(),
          () => runEcho(handfuls),
        )
      ).perCpuSecond,
    );
  }
  return samples;
}

async function measured(usage: () => Promise<Usage>, run: () => Promise<RoundOutcome>) {
  const before = await usage();
  const outcome = await run();
  return { outcome, perCpuSecond: outcome.acked / ((await usage()).cpuSeconds - before.cpuSeconds) };
}

/** Positions that were acknowledged and are above what the topic holds of their driver. */
async function lost(platform: PositionsPlatform, { lastAcked }: RoundOutcome): Promise<number> {
  const durable = await platform.durableSequences(drivers);
  return lastAcked.reduce((sum, acked, driver) => sum + Math.max(0, acked - (durable[driver] ?? 0)), 0);
}
