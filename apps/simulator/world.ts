/** What every agent of the city shares. */
import type { Calls } from "./calls.ts";
import type { Clock } from "./clock.ts";
import type { GatewayClient } from "./gateway-client.ts";
import type { RideLedger } from "./ride-ledger.ts";
import type { Streams } from "./streams.ts";
import type { Tally } from "./tally.ts";
import type { Witness } from "./witness.ts";

export type World = {
  readonly gateway: GatewayClient;
  readonly calls: Calls;
  readonly streams: Streams;
  readonly clock: Clock;
  readonly speedup: number;
  readonly ledger: RideLedger;
  readonly tally: Tally;
  readonly witness: Witness;
  /** UUIDs that were never used before: a seed would repeat them on a platform that remembers. */
  readonly newRequestId: () => string;
  /** Aborted when the city is to stop at once. */
  readonly signal: AbortSignal;
};

/** Wall milliseconds of city seconds. */
export function wallMs(world: { readonly speedup: number }, citySeconds: number): number {
  return (citySeconds * 1_000) / world.speedup;
}
