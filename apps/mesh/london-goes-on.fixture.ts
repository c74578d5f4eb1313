/** Riders in London, one after the other, who ask for a price, a ride and its end; how long each of their calls took. */
import { type Call, clientOf, london, requestRide } from "./ride-by-hand.fixture.ts";

export interface LondonGoesOn {
  /** Calls that begin from now on are counted for this phase. */
  enter(phase: string): void;
  calls(phase: string): number;
  /** Milliseconds. */
  quantile(phase: string, share: number): number;
  report(phases: readonly string[]): void;
  readonly failures: readonly string[];
  stop(): Promise<void>;
}

export function londonGoesOn(url: string): LondonGoesOn {
  let phase = "before";
  const took = new Map<string, number[]>();
  const control = new AbortController();
  const failures: string[] = [];
  const measured =
    (call: Call): Call =>
    async (method, body) => {
      const [began, when] = [performance.now(), phase];
      const answer = await call(method, body);
      took.set(when, [...(took.get(when) ?? []), performance.now() - began]);
      return answer;
    };
  async function run(): Promise<void> {
    for (let people = 1; !control.signal.aborted; people++) {
      try {
        // Each in a name of its own: a rider's calls have a rate.
        const timed = measured(await clientOf(url, "rider", `r-london-${people}`));
        const { rideId, version } = await requestRide(timed, london);
        await timed("GetRide", { rideId, minVersion: version });
        await timed("CancelRide", { requestId: crypto.randomUUID(), rideId });
      } catch (error) {
        failures.push(String(error));
      }
      await Bun.sleep(20);
    }
  }
  const calls = (when: string): number => took.get(when)?.length ?? 0;
  function quantile(when: string, share: number): number {
    const sorted = (took.get(when) ?? []).toSorted((left, right) => left - right);
    return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN);
  }
  const running = run();
  return {
    enter: (next: string) => void (phase = next),
    calls,
    quantile,
    report(phases: readonly string[]) {
      for (const when of phases) console.log(`London ${when}: ${calls(when)} calls, p50 ${quantile(when, 0.5)} ms, p99 ${quantile(when, 0.99)} ms`);
    },
    failures,
    stop: () => (control.abort(), running),
  };
}
