/**
 * When a driver's shift began, asked of the coordinator: one call a driver in two seconds, few at once, briefly
 * waited for. No answer is null, never an error: the position is then refused, and the next one asks again.
 */
import { msFromTimestamp } from "@ridegrid/contracts";
import { type Clock, putBounded } from "@ridegrid/domain";
import { asService, type ServiceDirectory } from "@ridegrid/rpc";
import { shiftLookupsInFlightMax, shiftLookupsKeptMax, shiftLookupTimeoutMs, shiftLookupTtlMs } from "./limits.ts";

export interface ShiftLookup {
  shiftStartedAtMs(driverId: string): Promise<number | null>;
}

export function createShiftLookup(deps: { readonly directory: ServiceDirectory; readonly clock: Clock; readonly serviceName: string }): ShiftLookup {
  const kept = new Map<string, { readonly atMs: number; readonly answer: Promise<number | null> }>();
  let inFlight = 0;

  async function ask(driverId: string): Promise<number | null> {
    inFlight++;
    try {
      const { driver } = await deps.directory.coordinator().getDriver({ driverId }, asService(deps.serviceName, { timeoutMs: shiftLookupTimeoutMs }));
      return msFromTimestamp(driver?.shiftStartTime);
    } catch {
      return null;
    } finally {
      inFlight--;
    }
  }

  return {
    async shiftStartedAtMs(driverId) {
      const nowMs = deps.clock.nowMs();
      const known = kept.get(driverId);
      if (known !== undefined && nowMs - known.atMs < shiftLookupTtlMs) return known.answer;
      if (inFlight >= shiftLookupsInFlightMax) return null;
      const answer = ask(driverId);
      putBounded(kept, [driverId, { atMs: nowMs, answer }], shiftLookupsKeptMax);
      return answer;
    },
  };
}
