/**
 * Position streams under stress, on real sockets: whatever one driver does costs him alone, and what is sent while ingest
 * is away is held by flow control and acknowledged afterwards.
 */
import { describe, expect, test } from "bun:test";
import type { ForwardPositionsRequest } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { createTestContext, eventually } from "@ridegrid/testing";
import { type Behind, durable, nyc, runsIn, startGateway } from "./gateway.fixture.ts";
import { forwardTimeoutMs, positionsBucket, positionsInFlightMax } from "./limits.ts";
import { openRawDriver, type Wire } from "./position-driver.fixture.ts";

const wires: readonly Wire[] = ["native gRPC", "Connect"];
const nowhere = { latitude: 0, longitude: 0 };

function residentBytes(): number {
  Bun.gc(true);
  return process.memoryUsage.rss();
}

/** Remembers which sequences it made durable of whom; while `held` it answers nothing. */
function ingestOf(taken: Map<string, number[]>, held: () => Promise<void> = async () => {}): Behind {
  return {
    ingest: () => ({
      async *forwardPositions(requests: AsyncIterable<ForwardPositionsRequest>) {
        for await (const page of requests) {
          await held();
          for (const { driverId, sequences } of runsIn(page)) taken.set(driverId, [...(taken.get(driverId) ?? []), ...sequences]);
          yield durable(page);
        }
      },
    }),
  };
}

for (const wire of wires) {
  describe(`StreamPositions over ${wire}`, () => {
    test("a driver who never reads is not read further, costs bounded memory, and goes on when he reads again", async () => {
      const context = createTestContext();
      // Rates are counted by a clock that runs a million times as fast: they are not what holds this driver back.
      const fast = { ...context, clock: { nowMs: () => context.clock.nowMs() + performance.now() * 1e6 } };
      await using gateway = await startGateway(ingestOf(new Map()), { context: fast });
      const [deaf, other] = [await openRawDriver(gateway, wire, "d-deaf"), await openRawDriver(gateway, wire, "d-other")];
      other.read();
      const before = residentBytes();
      // Each handful is rejected at once, and the rejections are ten times as long as a plain acknowledgement.
      let unwritten = 0;
      const handful = Array.from({ length: 50 }, () => nowhere);
      const send = (): void => {
        unwritten++;
        void deaf.send(...handful).then(
          () => unwritten--,
          () => {},
        );
      };
      await eventually(
        () => {
          for (let count = 0; count < 40 && unwritten < 400; count++) send();
          expect(deaf.status).toBe("");
          return unwritten >= 400;
        },
        { timeoutMs: 20_000, what: "the gateway to read no further" },
      );
      expect(deaf.sent).toBeLessThan(300_000);
      await other.send(nyc);
      await eventually(() => other.acked === 1, { what: "another driver to be acknowledged meanwhile" });
      expect(residentBytes() - before).toBeLessThan(128 * 1_048_576);
      expect(deaf.answers).toEqual([]);

      deaf.read();
      const rejected = (): number => deaf.answers.reduce((sum, answer) => sum + answer.rejected.length, 0);
      await eventually(() => rejected() === deaf.sent, { timeoutMs: 20_000, what: "every position to be answered once he reads" });
      await deaf.send(nyc);
      await eventually(() => deaf.acked === deaf.sent, { what: "the stream to go on" });
      deaf.close();
      other.close();
    }, 60_000);

    test("a driver who sends 1,000 positions a second is told RATE_LIMITED, what was taken of him is acknowledged, and others go on", async () => {
      const taken = new Map<string, number[]>();
      await using gateway = await startGateway(ingestOf(taken));
      const [hasty, other] = [await openRawDriver(gateway, wire, "d-hasty"), await openRawDriver(gateway, wire, "d-other")];
      hasty.read();
      other.read();
      await eventually(
        async () => {
          await hasty.send(...Array.from({ length: 20 }, () => nyc)).catch(() => {});
          if (other.sent < 40) await other.send(nyc);
          return hasty.status !== "";
        },
        { timeoutMs: 10_000, pollMs: 20, what: "the hasty driver's stream to end" },
      );
      expect(hasty.status).toBe(wire === "Connect" ? "resource_exhausted" : "8");
      expect(hasty.acked).toBeGreaterThanOrEqual(Math.min(positionsBucket.capacity / 2, positionsInFlightMax));
      expect(taken.get("d-hasty")?.at(-1)).toBe(hasty.acked);
      await other.send(nyc);
      await eventually(() => other.acked === other.sent, { what: "the other driver to be acknowledged" });
      expect(other.status).toBe("");
      for (const driver of [hasty, other]) driver.close();
    }, 30_000);
  });
}

test("while ingest stalls longer than a call may wait, streams are held by flow control; then all is acknowledged, once, and nothing is lost", async () => {
  const taken = new Map<string, number[]>();
  const gate = Promise.withResolvers<void>();
  let asked = 0;
  await using gateway = await startGateway(ingestOf(taken, () => (asked++, gate.promise)));
  const drivers = await Promise.all(Array.from({ length: 40 }, (_, index) => openRawDriver(gateway, wires[index % 2] ?? "Connect", `d-${index}`)));
  const each = 110;
  for (const driver of drivers) {
    driver.read();
    // One by one, so that a stream is stopped in the middle of what it has.
    for (let count = 0; count < each; count += 10) await driver.send(...Array.from({ length: 10 }, () => nyc));
  }
  await eventually(() => asked > 0, { what: "ingest to be asked" });
  await Bun.sleep(forwardTimeoutMs + 500);
  expect(drivers.map(({ acked, status }) => ({ acked, status }))).toEqual(drivers.map(() => ({ acked: 0, status: "" })));
  gate.resolve();
  await eventually(() => drivers.every(({ acked }) => acked === each), { timeoutMs: 20_000, what: "every position to be acknowledged" });
  const everySequence = Array.from({ length: each }, (_, index) => index + 1);
  for (const [index] of drivers.entries()) expect([...new Set(taken.get(`d-${index}`))]).toEqual(everySequence);
  expect(drivers.flatMap(({ answers }) => answers.flatMap(({ rejected }) => rejected))).toEqual([]);
  for (const driver of drivers) driver.close();
}, 60_000);
