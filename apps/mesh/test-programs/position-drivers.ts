/**
 * Drivers who stream positions to one gateway, in a process of its own so that their cost is not the server's.
 *
 * Arguments: one JSON object, `DriversOptions`; the tokens come as the first line on standard input. Each further line is
 * a `Round`, answered by one line, a `RoundOutcome`; the first answer says that all are open and were acknowledged once.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { createInterface } from "node:readline";
import { positionEnvelope, readAcknowledgements } from "../position-wire.fixture.ts";
import { openRawConnection, type RawConnection } from "../raw-stream.fixture.ts";
import type { DriversOptions, Round, RoundOutcome } from "../position-drivers.fixture.ts";

type Driver = {
  readonly connection: RawConnection;
  readonly stream: number;
  readonly latitude: number;
  sequence: number;
  acked: number;
  /** When sequences above `acked` were sent, oldest first. */
  sentAt: number[];
  rest: Buffer;
};

const options: DriversOptions = JSON.parse(process.argv[2] ?? "{}");
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const drivers: Driver[] = [];
const ended: string[] = [];
let rejected = 0;
let acked = 0;
let latencies: number[] = [];

const tokens: readonly string[] = JSON.parse(await nextLine());
for (let first = 0; first < tokens.length; first += options.driversPerConnection) await openDrivers(tokens.slice(first, first + options.driversPerConnection));
report(await run({ positions: drivers.length, perSecond: 2_000, burst: 1 }));
for (;;) report(await run(JSON.parse(await nextLine())));

async function openDrivers(owned: readonly string[]): Promise<void> {
  const byStream = new Map<number, Driver>();
  const connection = await openRawConnection({
    port: options.port,
    onData(stream, bytes) {
      const driver = byStream.get(stream);
      if (driver !== undefined) receive(driver, bytes);
    },
    onEnd: (stream, why) => ended.push(`stream ${stream}: ${why}`),
  });
  for (const token of owned) {
    const authorization = options.echoed ? [] : [["authorization", `Bearer ${token}`] as const];
    const stream = connection.open([
      [":method", "POST"],
      [":scheme", "http"],
      [":path", "/ridegrid.driver.v1.DriverService/StreamPositions"],
      [":authority", `127.0.0.1:${options.port}`],
      ["content-type", options.contentType],
      ...(options.contentType === "application/grpc" ? [["te", "trailers"] as const] : [["connect-protocol-version", "1"] as const]),
      ...authorization,
    ]);
    // A street apart from one another, all in one market.
    const driver = { connection, stream, latitude: 40.7 + drivers.length * 1e-5, sequence: 0, acked: 0, sentAt: [], rest: Buffer.alloc(0) };
    byStream.set(stream, driver);
    drivers.push(driver);
  }
}

function receive(driver: Driver, bytes: Buffer): void {
  const { acks, rest } = readAcknowledgements(driver.rest.length === 0 ? bytes : Buffer.concat([driver.rest, bytes]), options.echoed);
  driver.rest = Buffer.from(rest);
  const nowMs = performance.now();
  for (const ack of acks) {
    if (ack.isEnd && ack.text.includes('"error"')) ended.push(ack.text);
    rejected += ack.rejected;
    const fresh = ack.sequence - driver.acked;
    if (fresh <= 0) continue;
    for (const atMs of driver.sentAt.splice(0, fresh)) latencies.push(nowMs - atMs);
    driver.acked = ack.sequence;
    acked += fresh;
  }
}

/** Each driver sends `burst` positions at a time; turns are spread evenly. */
async function run({ positions, perSecond, burst }: Round): Promise<RoundOutcome> {
  latencies = [];
  const before = acked;
  const startMs = performance.now();
  for (let sent = 0; sent < positions && ended.length === 0;) {
    const due = Math.min(positions, Math.floor(((performance.now() - startMs) / 1_000) * perSecond));
    for (; sent < due; sent += burst) {
      const driver = drivers[Math.floor(sent / burst) % drivers.length];
      if (driver !== undefined) sendSome(driver, Math.min(burst, positions - sent));
    }
    await sleep(2);
  }
  const giveUpMs = performance.now() + 30_000;
  while (acked - before < positions && ended.length === 0 && performance.now() < giveUpMs) await sleep(5);
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
  return {
    sent: positions,
    acked: acked - before,
    rejected,
    seconds: (performance.now() - startMs) / 1_000,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    ended: ended.slice(0, 5),
    lastAcked: drivers.map((driver) => driver.acked),
  };
}

function sendSome(driver: Driver, count: number): void {
  for (let left = count; left > 0; left--) {
    const sequence = ++driver.sequence;
    driver.sentAt.push(performance.now());
    const position = { sequence, latitude: driver.latitude, longitude: -73.98 + (sequence % 1_000) * 1e-6, observedAtMs: Date.now() };
    driver.connection.send(driver.stream, positionEnvelope(position));
  }
}

async function nextLine(): Promise<string> {
  const next = await lines.next();
  if (next.done === true) process.exit();
  return next.value;
}

function report(outcome: RoundOutcome): void {
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
}
