/** Wakes are coalesced, never lost, bounded, and end with the process. */
import { describe, expect, test } from "bun:test";
import { reasonOf } from "@ridegrid/rpc";
import { createWakeups } from "./wakeups.ts";

const { signal } = new AbortController();

describe("wakeups", () => {
  test("a wake between a look and the wait is not lost, and many are one", async () => {
    const wakeups = createWakeups({ max: 10 });
    const subscription = wakeups.subscribe("ride:a");
    wakeups.wake("ride:b");
    expect(await subscription.next(1, signal)).toBe(false);
    wakeups.wake("ride:a");
    wakeups.wake("ride:a");
    expect(await subscription.next(10_000, signal)).toBe(true);
    expect(await subscription.next(1, signal)).toBe(false);
    const waiting = subscription.next(10_000, signal);
    wakeups.wake("ride:a");
    expect(await waiting).toBe(true);
  });

  test("watchers above the bound are refused, and a closed one makes room", () => {
    const wakeups = createWakeups({ max: 2 });
    const first = wakeups.subscribe("ride:a");
    wakeups.subscribe("ride:a");
    expect(() => wakeups.subscribe("ride:a")).toThrow("at most 2");
    first.close();
    first.close();
    expect(wakeups.size()).toBe(1);
    wakeups.subscribe("ride:b");
    expect(wakeups.size()).toBe(2);
  });

  test("a client that leaves ends its wait, and a stop ends everybody's with DRAINING", async () => {
    const wakeups = createWakeups({ max: 10 });
    const leaving = new AbortController();
    const left = wakeups.subscribe("driver:a").next(10_000, leaving.signal);
    leaving.abort(new Error("gone"));
    await expect(left).rejects.toThrow("gone");
    const waiting = wakeups.subscribe("driver:a").next(10_000, signal);
    wakeups.close();
    expect(reasonOf(await waiting.catch((error: unknown) => error))).toBe("DRAINING");
    expect(() => wakeups.subscribe("driver:a")).toThrow("stopping");
  });
});
