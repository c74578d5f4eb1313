/**
 * A broker that is away for so long that the outbox reaches its bound: new rides are refused with a delay, everything about
 * rides that exist goes on, nothing is dropped, and when the broker answers again all of it is published and new rides are taken.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { RetryInfoSchema } from "@ridegrid/contracts/gen/google/rpc/error_details_pb";
import { CancelReason } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import { partitionsPerTopic, physicalTopic } from "@ridegrid/contracts";
import { reasonOf } from "@ridegrid/rpc";
import { eventually } from "@ridegrid/testing";
import { createWorld, online, quoted, uuid, type World } from "./coordinator.fixtures.ts";

const testMs = 60_000;
const bounds = { backlogRowsMax: 6, backlogBytesMax: Number.MAX_SAFE_INTEGER };
let away = true;
let world: World;

beforeAll(async () => {
  world = await createWorld({
    outboxBounds: bounds,
    wrapLog: (_, log) => ({
      ...log,
      async append(...parameters) {
        if (away) throw new Error("the broker is away");
        await log.append(...parameters);
      },
    }),
  });
}, testMs);
afterAll(() => world.close());

test(
  "new rides are refused while the outbox is full, and only they",
  async () => {
    const { taken, refusal } = await untilRefused();
    expect(reasonOf(refusal)).toBe("OVERLOADED");
    expect(refusal.code).toBe(Code.Unavailable);
    expect(Number(refusal.findDetails(RetryInfoSchema)[0]?.retryDelay?.seconds)).toBeGreaterThanOrEqual(1);

    // What exists goes on, also above the bound: each of these writes an event more. An answer that was given stays given.
    const [first] = taken;
    if (first === undefined) throw new Error("no ride was taken before the bound");
    const held = await outboxRows();
    expect(held).toBeGreaterThan(bounds.backlogRowsMax);
    expect((await world.as("rider", first.rider).requestRide({ command: first.command })).ride?.rideId).toBe(first.rideId);
    const cancel = { requestId: uuid(), rideId: first.rideId, reason: CancelReason.OTHER };
    await world.as("rider", first.rider).cancelRide({ command: cancel });
    for (let driver = 0; driver < 5; driver++) await online(world, `d-${driver}`);
    expect(await outboxRows()).toBe(held + 6);

    away = false;
    const asked = async (): Promise<boolean> => !((await request("r-after")) instanceof ConnectError);
    await eventually(asked, { timeoutMs: 20_000, pollMs: 200, what: "a new ride taken after the drain" });
    const complete = async (): Promise<boolean> => (await recordsInLogs()) >= (await outboxRows());
    await eventually(complete, { timeoutMs: 20_000, what: "every row of the outbox in the logs" });
    expect(await recordsInLogs()).toBe(await outboxRows());
  },
  testMs,
);

type Taken = { readonly rider: string; readonly rideId: string; readonly command: { readonly requestId: string; readonly quoteId: string } };

async function untilRefused(): Promise<{ readonly taken: readonly Taken[]; readonly refusal: ConnectError }> {
  const taken: Taken[] = [];
  const refusal = await eventually(
    async () => {
      const answer = await request(`r-${taken.length}`);
      if (answer instanceof ConnectError) return answer;
      taken.push(answer);
      return undefined;
    },
    { timeoutMs: 30_000, pollMs: 50, what: "a refused ride" },
  );
  return { taken, refusal };
}

async function request(rider: string): Promise<Taken | ConnectError> {
  const command = { requestId: uuid(), quoteId: await quoted(world, rider) };
  try {
    const { ride } = await world.as("rider", rider).requestRide({ command });
    return { rider, rideId: ride?.rideId ?? "", command };
  } catch (error) {
    return ConnectError.from(error);
  }
}

async function outboxRows(): Promise<number> {
  return (await world.sql`SELECT FROM outbox`).count;
}

async function recordsInLogs(): Promise<number> {
  const ends = [...world.logs].flatMap(([region, log]) =>
    (["ride-events.v1", "driver-events.v1"] as const).flatMap((topic) =>
      Array.from({ length: partitionsPerTopic }, async (_, partition) => (await log.bounds(physicalTopic(region, topic), partition)).end),
    ),
  );
  return (await Promise.all(ends)).reduce((sum, end) => sum + end, 0);
}
