/** What the fold counts, and the alarm it raises for a gap in a ride's versions: the relay must never skip one. */
import type { ProcessContext } from "@ridegrid/runtime";
import type { FoldResult } from "./fold-batch.ts";
import type { RideStore } from "./ride-store.ts";

export interface FoldMetrics {
  /** `topic` is the physical name. */
  folded(topic: string, result: FoldResult): void;
  /** Counts parked rides in the tables and shows them. */
  countParked(): Promise<void>;
}

export function createFoldMetrics({ meter, logger }: ProcessContext, region: string, rides: RideStore): FoldMetrics {
  const events = meter.createCounter("read_model_events", { description: "Events that the read model took, by what became of them" });
  const gaps = meter.createCounter("read_model_gaps", { description: "Gaps found in the versions of rides" });
  const parked = meter.createGauge("read_model_parked_rides", { description: "Rides whose next event is missing" });
  gaps.add(0, { region });

  async function countParked(): Promise<void> {
    parked.record(await rides.parkedRides(), { region });
  }
  return {
    countParked,
    folded(topic, result) {
      events.add(result.applied, { region, topic, result: "applied" });
      events.add(result.duplicates, { region, topic, result: "duplicate" });
      gaps.add(result.gaps.length, { region });
      for (const { rideId, missing } of result.gaps) logger.error({ region, rideId, missing }, `Parked ride "${rideId}": its version ${missing} is missing`);
      if (result.parkingChanged) countParked().catch((error: unknown) => logger.warn({ error, region }, "cannot count the parked rides"));
    },
  };
}
