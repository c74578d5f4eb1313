/**
 * Riders in London, one after the other, who ask for a price, a ride and its end; how long each of their calls took, and
 * how long something took right after each that has nothing to do with either region: what the machine itself was like.
 */
import { type Call, clientOf, london, requestRide } from "./ride-by-hand.fixture.ts";

export interface LondonGoesOn {
  /** Calls that begin from now on are counted for this phase. */
  enter(phase: string): void;
  calls(phase: string): number;
  /** Milliseconds. */
  quantile(phase: string, share: number): number;
  /** The same of the machine's own delays. */
  noise(phase: string, share: number): number;
  report(phases: readonly string[]): void;
  readonly failures: readonly string[];
  stop(): Promise<void>;
}

export type LondonOptions = {
  /** Timed beside each call. */
  readonly probe?: () => Promise<unknown>;
  /** Whether each rider also asks the read model for his ride; commands alone need no event log. */
  readonly readsBack?: boolean;
  /** Between one rider and the next. */
  readonly pauseMs?: number;
};

export function londonGoesOn(url: string, { probe = () => Promise.resolve(), readsBack = true, pauseMs = 20 }: LondonOptions = {}): LondonGoesOn {
  let phase = "warming up";
  const [took, noise] = [new Map<string, number[]>(), new Map<string, number[]>()];
  const control = new AbortController();
  const failures: string[] = [];
  const measured =
    (call: Call): Call =>
    async (method, body) => {
      const [began, when] = [performance.now(), phase];
      const answer = await call(method, body);
      const answered = performance.now();
      await probe();
      took.set(when, [...(took.get(when) ?? []), answered - began]);
      noise.set(when, [...(noise.get(when) ?? []), performance.now() - answered]);
      return answer;
    };
  async function run(): Promise<void> {
    for (let people = 1; !control.signal.aborted; people++) {
      try {
        // Each in a name of its own: a rider's calls have a rate.
        const timed = measured(await clientOf(url, "rider", `r-london-${people}`));
        const { rideId, version } = await requestRide(timed, london);
        if (readsBack) await timed("GetRide", { rideId, minVersion: version });
        await timed("CancelRide", { requestId: crypto.randomUUID(), rideId });
      } catch (error) {
        failures.push(String(error));
      }
      await Bun.sleep(pauseMs);
    }
  }
  const calls = (when: string): number => took.get(when)?.length ?? 0;
  const running = run();
  return {
    enter: (next: string) => void (phase = next),
    calls,
    quantile: (when, share) => quantileOf(took.get(when), share),
    noise: (when, share) => quantileOf(noise.get(when), share),
    report(phases: readonly string[]) {
      const both = (times: readonly number[] | undefined): string => `p50 ${quantileOf(times, 0.5)} ms, p99 ${quantileOf(times, 0.99)} ms`;
      for (const when of phases) console.log(`London ${when}: ${calls(when)} calls, ${both(took.get(when))}; the machine: ${both(noise.get(when))}`);
    },
    failures,
    stop: () => (control.abort(), running),
  };
}

function quantileOf(times: readonly number[] = [], share: number): number {
  const sorted = times.toSorted((left, right) => left - right);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN);
}
