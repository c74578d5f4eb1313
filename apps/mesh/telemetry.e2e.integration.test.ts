/** One ride through every app of a process, seen as its operators see it: in traces, logs and metrics. */
import { expect, test } from "bun:test";
import { createLogger, startTracing } from "@ridegrid/runtime";
import { createSpanRecorder, eventually } from "@ridegrid/testing";
import { startPlatform } from "./platform.fixture.ts";
import { newYork, rideByHand } from "./ride-by-hand.fixture.ts";
import { expectedParents, missingFromTrace, parentsIn } from "./ride-trace.fixture.ts";

const timeoutMs = 90_000;

test(
  "a ride is one trace from the rider's request to the offer, and the driver's accept is linked to it",
  async () => {
    const recorder = createSpanRecorder();
    const tracing = await startTracing({ serviceName: "ridegrid-test", exporter: recorder.exporter, sampler: "parentbased_always_on", samplerRatio: 1 });
    const platform = await startPlatform({ logger: createLogger({ format: "json", level: "silent" }), tracing });
    try {
      await rideByHand(platform.url, newYork, { rider: "r-trace", driver: "d-trace" });
      let missing: readonly string[] = [];
      const complete = async (): Promise<boolean> => {
        await tracing.flush();
        missing = missingFromTrace(recorder.spans());
        return missing.length === 0;
      };
      await eventually(complete, { timeoutMs: 20_000, what: "every step in the trace" }).catch(() => {});
      expect(missing).toEqual([]);
      const parents = parentsIn(recorder.spans());
      expect(expectedParents.filter((pair) => !parents.has(pair))).toEqual([]);
      expect(recorder.spans().filter((span) => /Position|Now$|LocateDriver/.test(span.name))).toEqual([]);
    } finally {
      await platform.stop();
    }
  },
  timeoutMs,
);
