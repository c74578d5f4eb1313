/**
 * Calls as a patient client makes them: the same attempt (and so the same request id) again, with jittered backoff,
 * until the platform answers or patience ends. A refusal is an answer; an outage is not.
 */
import type { CallOptions } from "@connectrpc/connect";
import type { Clock } from "./clock.ts";
import { failureOf } from "./failure.ts";
import type { Identity } from "./identity.ts";
import { callTimeoutMs, commandPatienceMs, retryBaseMs, retryMaxMs } from "./limits.ts";
import { pause } from "./pause.ts";
import type { Random } from "./random.ts";

export type Answer<T> =
  | { readonly kind: "done"; readonly value: T }
  | { readonly kind: "refused"; readonly reason: string; readonly message: string }
  | { readonly kind: "gave_up"; readonly reason: string };

export interface Calls {
  run<T>(identity: Identity, attempt: (options: CallOptions) => Promise<T>): Promise<Answer<T>>;
}

export type CallsDeps = {
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  /** Told of each attempt that failed in passing. */
  readonly onFailure: (reason: string) => void;
  readonly patienceMs?: number;
};

export function createCalls({ clock, random, signal, onFailure, patienceMs = commandPatienceMs }: CallsDeps): Calls {
  async function run<T>(identity: Identity, attempt: (options: CallOptions) => Promise<T>): Promise<Answer<T>> {
    const deadlineMs = clock.nowMs() + patienceMs;
    for (let tries = 0; ; tries++) {
      try {
        const headers = await identity.headers();
        return { kind: "done", value: await attempt({ headers, timeoutMs: callTimeoutMs, signal }) };
      } catch (error) {
        if (signal.aborted) return { kind: "gave_up", reason: "STOPPED" };
        const failure = failureOf(error);
        if (failure.kind === "refused") return failure;
        onFailure(failure.reason);
        if (failure.kind === "token") identity.renew();
        const waitMs = backoffMs(tries, random) + (failure.kind === "passing" ? failure.delayMs : 0);
        if (clock.nowMs() + waitMs > deadlineMs) {
          onFailure(`GAVE_UP_${failure.reason}`);
          return { kind: "gave_up", reason: failure.reason };
        }
        if (!(await pause(waitMs, signal))) return { kind: "gave_up", reason: "STOPPED" };
      }
    }
  }
  return { run };
}

/** Between half and all of an exponential step: retries of many agents must not come in step. */
function backoffMs(tries: number, random: Random): number {
  const stepMs = Math.min(retryMaxMs, retryBaseMs * 2 ** Math.min(tries, 10));
  return stepMs * (0.5 + random.next() / 2);
}
