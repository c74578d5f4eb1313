/** The drivers of a city: where they start, what they drive, and their shifts' common opening and end. */
import type { City } from "./city.ts";
import { createDriverAgent, type DriverAgent } from "./driver-agent.ts";
import { displaced, type LatLng } from "./geography.ts";
import { createIdentity } from "./identity.ts";
import { inGroups } from "./in-groups.ts";
import { largeCarShare, startSpreadMeters } from "./limits.ts";
import type { PositionReports } from "./position-reports.ts";
import type { Random } from "./random.ts";
import type { TripSource } from "./trip-source.ts";
import type { World } from "./world.ts";

export interface Fleet {
  /** Resolves to the number of drivers that the platform took. `onFirst` is called at the first of them. */
  goOnline(onFirst?: () => void): Promise<number>;
  goOffline(): Promise<void>;
}

export type FleetDeps = {
  readonly world: World;
  readonly city: City;
  readonly source: TripSource;
  readonly random: Random;
  readonly positions: PositionReports;
  readonly drivers: number;
  readonly subjectPrefix: string;
  /** Drivers that open or end their shift at the same time. */
  readonly shiftsInFlight: number;
};

export function createFleet({ world, city, source, random, positions, drivers, subjectPrefix, shiftsInFlight }: FleetDeps): Fleet {
  const agents = Array.from({ length: drivers }, (_, index): DriverAgent => {
    const dice = random.fork(String(index));
    const name = String(index + 1).padStart(4, "0");
    const identity = createIdentity({ gateway: world.gateway, clock: world.clock, role: "driver", subject: `${subjectPrefix}${name}` });
    return createDriverAgent(
      world,
      { identity, random: dice, start: startOf(city, source, dice), seats: dice.chance(largeCarShare) ? 6 : 4, plate: `SIM ${name}` },
      positions,
    );
  });
  const online: DriverAgent[] = [];
  return {
    async goOnline(onFirst) {
      await inGroups(agents, shiftsInFlight, async (agent) => {
        if (!world.signal.aborted && (await agent.goOnline()) && online.push(agent) === 1) onFirst?.();
      });
      return online.length;
    },
    goOffline: () => inGroups(online.splice(0), shiftsInFlight, (agent) => agent.goOffline()),
  };
}

/** Near where riders come from, as drivers who know the city do. */
function startOf(city: City, source: TripSource, random: Random): LatLng {
  const { pickup } = source.sample(random);
  const near = displaced(pickup, { north: random.normal() * startSpreadMeters, east: random.normal() * startSpreadMeters });
  return city.contains(near) ? near : pickup;
}
