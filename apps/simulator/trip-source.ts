/** Where trips come from. What a source draws depends on its own dice and on nothing else, so one seed is one city. */
import type { Random } from "./random.ts";
import type { Trip } from "./trips-file.ts";

export interface TripSource {
  /** The next trip of the city; never the last. */
  draw(): Trip;
  /** A trip of the same kind, from these dice: for placing drivers and for planning. Takes nothing from `draw`. */
  sample(random: Random): Trip;
  /** Trips left out because they lie outside the market. */
  readonly outside: number;
}
