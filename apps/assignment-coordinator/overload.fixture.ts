/** A coordinator told to take so many requests a second, offered half of that and then ten times as many by a crowd that does not wait. */
import { ConnectError } from "@connectrpc/connect";
import { RetryInfoSchema } from "@ridegrid/contracts/gen/google/rpc/error_details_pb";
import { reasonOf } from "@ridegrid/rpc";
import { type LoadOutcome, offerLoad } from "@ridegrid/testing";
import { createWorld, times } from "./coordinator.fixtures.ts";

export type Overload = {
  readonly unloaded: LoadOutcome;
  readonly overloaded: LoadOutcome;
  /** Refusals that did not say when to come back. */
  readonly withoutDelay: number;
};

export async function overload({ capacityPerSecond, seconds }: { readonly capacityPerSecond: number; readonly seconds: number }): Promise<Overload> {
  const world = await createWorld({ requestsPerSecond: capacityPerSecond });
  let withoutDelay = 0;
  const call = async (index: number): Promise<boolean> => {
    try {
      await world.as("rider", `r-${index}`).quoteFare({ command: { ...times, seats: 1 } });
      return true;
    } catch (error) {
      if (reasonOf(error) !== "OVERLOADED") throw error;
      if (!(error instanceof ConnectError) || error.findDetails(RetryInfoSchema)[0]?.retryDelay === undefined) withoutDelay++;
      return false;
    }
  };
  try {
    // What runs for the first time is compiled first.
    await offerLoad({ perSecond: capacityPerSecond / 2, seconds: 1, call });
    const unloaded = await offerLoad({ perSecond: capacityPerSecond / 2, seconds, call });
    const overloaded = await offerLoad({ perSecond: capacityPerSecond * 10, seconds, call });
    return { unloaded, overloaded, withoutDelay };
  } finally {
    await world.close();
  }
}

export function shown({ unloaded, overloaded }: Overload): string {
  const line = (name: string, { offered, accepted, refused, acceptedMs, refusedMs }: LoadOutcome): string =>
    `${name}: ${offered} offered, ${accepted} accepted (p50 ${acceptedMs.p50.toFixed(1)} ms, p99 ${acceptedMs.p99.toFixed(1)} ms), ` +
    `${refused} refused (p50 ${refusedMs.p50.toFixed(1)} ms, p99 ${refusedMs.p99.toFixed(1)} ms)`;
  return `${line("half the capacity", unloaded)}\n${line("ten times the capacity", overloaded)}`;
}
