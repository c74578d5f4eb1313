/**
 * Positions from phones to the log: 2,000 streams on sockets of their own, through a gateway and an ingest in processes
 * of their own, every position acknowledged and the topic read back. Beside a bare HTTP/2 server that sends each message back.
 */
import { type Figure, type Measurement, testBrokerMissing } from "@ridegrid/testing";
import { type DriversOptions, type MeasuredServer, type Round, type RoundOutcome, startDrivers, startServer, type Usage } from "./position-drivers.fixture.ts";
import { type PositionsPlatform, startPositionsPlatform } from "./positions-platform.fixture.ts";

const drivers = 2_000;
const rounds = 3;
/** 10,000 a second: five of each driver's, spread evenly. */
const steady: Round = { positions: 40_000, perSecond: 10_000, burst: 1 };
/** What phones hold back on a bad connection comes in handfuls, at the rate that each driver may keep up. */
const handfuls: Round = { positions: 80_000, perSecond: 20_000, burst: 10 };

export const figures: readonly Figure[] = [
  {
    name: "positions",
    doc: `${drivers} StreamPositions streams, each on a connection of its own, by gateway and ingest in two processes to the log; the peer is one bare node:http2 server that sends each message back`,
    run: measurePositions,
  },
];

async function measurePositions(): Promise<readonly Measurement[]> {
  const measured: Measurement[] = [];
  for (const log of ["embedded", "kafka"] as const) {
    const missing = log === "kafka" ? testBrokerMissing() : null;
    if (missing === null) measured.push(...(await measureOn(log)));
    else process.stderr.write(`Not measured on Kafka: ${missing}\n`);
  }
  return measured;
}

const ways: readonly { readonly what: string; readonly port: "port" | "grpcPort"; readonly contentType: DriversOptions["contentType"] }[] = [
  { what: "native gRPC", port: "grpcPort", contentType: "application/grpc" },
  { what: "Connect h2c", port: "port", contentType: "application/connect+proto" },
];

async function measureOn(log: "embedded" | "kafka"): Promise<readonly Measurement[]> {
  const measured: Measurement[] = [];
  for (const way of ways) {
    await using platform = await startPositionsPlatform(log);
    await using echo = await startServer("echo-streams.ts", {});
    const options = { contentType: way.contentType, driversPerConnection: 1 };
    const [before, echoBefore] = [await platform.gateway.usageAtRest(), await echo.usageAtRest()];
    await using phones = await startDrivers({ ...options, port: platform[way.port], echoed: false }, await platform.tokens(drivers));
    await using echoPhones = await startDrivers({ ...options, port: echo.ready[way.port], echoed: true }, new Array<string>(drivers).fill(""));
    const [after, echoAfter] = [await platform.gateway.usageAtRest(), await echo.usageAtRest()];
    const idleKb = (from: Usage, to: Usage): number => (to.residentBytes - from.residentBytes) / 1_000 / drivers;
    const turns = await takeTurns(
      { platform, echo },
      (round) => phones.run(round),
      (round) => echoPhones.run(round),
    );
    const where = `${way.what}, ${log} log`;
    const unit = "positions per CPU-second";
    const peer = (samples: readonly number[]) => ({ what: "bare echo", samples });
    measured.push(
      { what: `${where}: 10,000/s`, unit, samples: turns.steady, peer: peer(turns.echoSteady) },
      { what: `${where}: handfuls of 10`, unit, samples: turns.handfuls, peer: peer(turns.echoHandfuls) },
      { what: `${where}: 10,000/s, sent to acknowledged p50`, unit: "ms", samples: turns.p50Ms },
      { what: `${where}: 10,000/s, sent to acknowledged p99`, unit: "ms", samples: turns.p99Ms, goal: { atMost: 400 } },
      { what: `${where}: gateway, one idle stream`, unit: "KB", samples: [idleKb(before, after)], peer: peer([idleKb(echoBefore, echoAfter)]) },
      { what: `${where}: acknowledged and lost`, unit: "positions", samples: [await lost(platform, turns.last)], goal: { atMost: 0 } },
    );
  }
  return measured;
}

type Servers = { readonly platform: PositionsPlatform; readonly echo: MeasuredServer };
type Run = (round: Round) => Promise<RoundOutcome>;

/** Round by round, one server after the other: what else the machine does falls on both. */
async function takeTurns({ platform, echo }: Servers, run: Run, runEcho: Run) {
  const samples = { steady: [0], echoSteady: [0], handfuls: [0], echoHandfuls: [0], p50Ms: [0], p99Ms: [0] };
  for (const list of Object.values(samples)) list.length = 0;
  let last: RoundOutcome | undefined;
  for (let turn = 0; turn < rounds; turn++) {
    const calm = await measured(
      () => platform.usage(),
      () => run(steady),
    );
    samples.steady.push(calm.perCpuSecond);
    samples.p50Ms.push(calm.outcome.p50Ms);
    samples.p99Ms.push(calm.outcome.p99Ms);
    samples.echoSteady.push(
      (
        await measured(
          () => echo.usage(),
          () => runEcho(steady),
        )
      ).perCpuSecond,
    );
    const busy = await measured(
      () => platform.usage(),
      () => run(handfuls),
    );
    samples.handfuls.push(busy.perCpuSecond);
    samples.echoHandfuls.push(
      (
        await measured(
          () => echo.usage(),
          () => runEcho(handfuls),
        )
      ).perCpuSecond,
    );
    last = busy.outcome;
  }
  return { ...samples, last };
}

async function measured(usage: () => Promise<Usage>, run: () => Promise<RoundOutcome>) {
  const before = await usage();
  const outcome = await run();
  return { outcome, perCpuSecond: outcome.acked / ((await usage()).cpuSeconds - before.cpuSeconds) };
}

/** Positions that were acknowledged and are above what the topic holds of their driver. */
async function lost(platform: PositionsPlatform, last: RoundOutcome | undefined): Promise<number> {
  if (last === undefined) throw new Error("Cannot tell what was lost: nothing was sent");
  const durable = await platform.durableSequences(drivers);
  return last.lastAcked.reduce((sum, acked, driver) => sum + Math.max(0, acked - (durable[driver] ?? 0)), 0);
}
