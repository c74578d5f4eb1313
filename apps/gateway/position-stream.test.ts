/** When a position stream is acknowledged: at its pace while it goes on, at once where somebody waits for it. */
import { expect, test } from "bun:test";
import type { ReportedPosition } from "@ridegrid/contracts";
import { PositionRejection, type RejectedPosition, RejectedPositionSchema } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { create } from "@bufbuild/protobuf";
import { createTestContext, eventually } from "@ridegrid/testing";
import { createAcknowledgementPace } from "./acknowledgement-pace.ts";
import { positionsInFlightMax, positionsUnsaidMax } from "./limits.ts";
import { createPositionStreams } from "./position-stream.ts";
import type { RunFate } from "./positions-forwarder.ts";

const never = 3_600_000;

/** A driver whose positions become durable when the test says so. */
function openDriver({ intervalMs = never, writable = true }: { readonly intervalMs?: number; readonly writable?: boolean } = {}) {
  const fates: ((fate: RunFate) => void)[] = [];
  const said: string[] = [];
  const driver = { sent: 0, resumed: 0, writable };
  const streams = createPositionStreams({
    ids: createTestContext().ids,
    pace: createAcknowledgementPace({ intervalMs }),
    submit: { each: (_, positions, begin) => void fates.push(begin(positions.length)) },
    chargeFor: () => () => {},
  });
  const open = () =>
    streams.open("d-1", {
      acknowledge(sequence, rejected) {
        said.push([sequence, ...rejected.map(({ reason }) => PositionRejection[reason])].join(" "));
        return driver.writable;
      },
      resume: () => void driver.resumed++,
    });
  const stream = open();
  const settle = (sequence: number, rejected: readonly RejectedPosition[] = [], superseded = false): void =>
    fates.shift()?.({ kind: "answered", ackedSequence: sequence, rejected, superseded });
  return {
    stream,
    open,
    said,
    driver,
    fates,
    settle,
    report: (positions = 1): boolean => stream.take(Array.from({ length: positions }, () => position(++driver.sent))),
  };
}

const position = (sequence: number): ReportedPosition => ({
  sequence: BigInt(sequence),
  latitude: 40.75,
  longitude: -73.98,
  headingDegrees: 0,
  speedMps: 0,
  accuracyM: 5,
  observedAtMs: 0,
});
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A driver who was told of his first position, and of two more are durable. */
async function untoldOfTwo(options?: Parameters<typeof openDriver>[0]) {
  const driver = openDriver(options);
  for (let sequence = 1; sequence <= 3; sequence++) driver.report();
  driver.settle(1);
  await turn();
  expect(driver.said).toEqual(["1"]);
  driver.settle(2);
  await turn();
  driver.settle(3);
  await turn();
  return driver;
}

test("a stream that was quiet is acknowledged at once; what follows within the interval is one acknowledgement after it", async () => {
  const slow = await untoldOfTwo();
  expect(slow.said).toEqual(["1"]);
  const quick = await untoldOfTwo({ intervalMs: 200 });
  await eventually(() => quick.said.at(-1) === "3", { what: "the rest to be acknowledged after the interval" });
});

test("the last positions are acknowledged at once when the driver sends no more, though the first of them waits for its turn", async () => {
  const { stream, said, report, settle } = await untoldOfTwo();
  report();
  stream.halfClose();
  expect(said).toEqual(["1", "3"]);
  settle(4);
  await stream.ended;
  expect(said).toEqual(["1", "3", "4"]);
});

test("whatever ends a stream, its driver is told what is durable before", async () => {
  const replaced = await untoldOfTwo();
  replaced.open();
  expect(await replaced.stream.ended.catch(({ message }: Error) => message)).toContain("took this one's place");
  expect(replaced.said).toEqual(["1", "3"]);
  const failed = await untoldOfTwo();
  failed.report();
  failed.fates.shift()?.({ kind: "failed", error: new Error("away") });
  expect(await failed.stream.ended.catch(({ message }: Error) => message)).toBe("away");
  expect(failed.said).toEqual(["1", "3"]);
  const left = await untoldOfTwo();
  left.stream.leave();
  expect(left.said).toEqual(["1", "3"]);
});

test("a rejected position is told at once, with what was durable before it", async () => {
  const { said, report, settle } = await untoldOfTwo();
  report();
  settle(3, [create(RejectedPositionSchema, { sequence: 4n, reason: PositionRejection.TOO_OLD })]);
  await turn();
  expect(said).toEqual(["1", "3 TOO_OLD"]);
});

test(`of ${positionsUnsaidMax} positions a driver is told at once`, async () => {
  const { said, report, settle } = await untoldOfTwo();
  for (let sequence = 4; sequence <= positionsUnsaidMax; sequence++) {
    report();
    settle(sequence);
  }
  await turn();
  expect(said).toEqual(["1"]);
  report();
  settle(positionsUnsaidMax + 1);
  await turn();
  expect(said).toEqual(["1", String(positionsUnsaidMax + 1)]);
});

test("a stream that is full is read again as soon as there is room, whether or not its acknowledgement is due", async () => {
  const { said, driver, report, settle } = await untoldOfTwo();
  expect(report(positionsInFlightMax)).toBe(false);
  settle(4);
  await turn();
  expect(driver.resumed).toBe(1);
  expect(said).toEqual(["1", "4"]);
});

test("what a peer does not take is held, joined, and told when it drains", async () => {
  const { stream, said, driver, report, settle } = await untoldOfTwo({ intervalMs: 0, writable: false });
  expect(said).toEqual(["1"]);
  expect(report()).toBe(false);
  settle(4);
  await turn();
  expect(said).toEqual(["1"]);
  driver.writable = true;
  stream.drained();
  expect(said).toEqual(["1", "4"]);
  expect(driver.resumed).toBe(1);
});
