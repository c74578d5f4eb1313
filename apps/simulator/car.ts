/** A driver's car: where it is, and how it gets somewhere else. */
import type { LatLng } from "./geography.ts";
import { createLeg, parkedAt, type Place, placeOn } from "./movement.ts";
import { pause } from "./pause.ts";
import type { World } from "./world.ts";

export interface Car {
  place(): Place;
  /** False when the signal cut the drive short: the car stands where it was then. */
  driveTo(point: LatLng, signal: AbortSignal): Promise<boolean>;
}

export function createCar({ clock, speedup }: Pick<World, "clock" | "speedup">, start: LatLng): Car {
  let leg = parkedAt(start, clock.nowMs());
  return {
    place: () => placeOn(leg, clock.nowMs()),
    async driveTo(point, signal) {
      const startMs = clock.nowMs();
      leg = createLeg(placeOn(leg, startMs).location, point, { startMs, speedup });
      if (await pause(leg.endMs - startMs, signal)) return true;
      const nowMs = clock.nowMs();
      leg = parkedAt(placeOn(leg, nowMs).location, nowMs);
      return false;
    },
  };
}
