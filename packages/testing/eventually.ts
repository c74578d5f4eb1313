/** Waits for a condition with a deadline, instead of sleeping for luck. */
import { setTimeout as sleep } from "node:timers/promises";
import { eventuallyPollMs, eventuallyTimeoutMs } from "./limits.ts";

export type EventuallyOptions = { readonly timeoutMs?: number; readonly pollMs?: number; /** What is waited for, in words. */ readonly what?: string };

/**
 * Calls `check` until it answers something other than `false`, `undefined` or `null` and resolves with that answer.
 * A check that throws (an `expect` that does not hold yet) is tried again; the last failure is the cause at the deadline.
 */
export async function eventually<T>(check: () => T | Promise<T>, options: EventuallyOptions = {}): Promise<Exclude<T, false | undefined | null>> {
  const timeoutMs = options.timeoutMs ?? eventuallyTimeoutMs;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const outcome = await attempt(check);
    if (outcome.kind === "met") return outcome.value;
    if (performance.now() >= deadline) {
      throw new Error(`Waited ${timeoutMs} ms in vain for ${options.what ?? "a condition"}: ${outcome.detail}`, { cause: outcome.cause });
    }
    await sleep(options.pollMs ?? eventuallyPollMs);
  }
}

type Outcome<T> =
  | { readonly kind: "met"; readonly value: Exclude<T, false | undefined | null> }
  | { readonly kind: "unmet"; readonly detail: string; readonly cause?: unknown };

async function attempt<T>(check: () => T | Promise<T>): Promise<Outcome<T>> {
  try {
    const value = await check();
    return isMet(value) ? { kind: "met", value } : { kind: "unmet", detail: `it last answered ${String(value)}` };
  } catch (cause) {
    return { kind: "unmet", detail: `it last failed with ${cause instanceof Error ? cause.message : String(cause)}`, cause };
  }
}

function isMet<T>(value: T): value is Exclude<T, false | undefined | null> {
  return value !== false && value !== undefined && value !== null;
}
