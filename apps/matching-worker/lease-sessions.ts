/**
 * The sessions of one lease: one for each market of its partition that the region serves, begun and ended as markets
 * are taken over. What was never said to be served is not matched.
 */
import type { Lease } from "@ridegrid/eventlog";
import type { ServingRegions } from "@ridegrid/rpc";
import type { RegionMarket } from "@ridegrid/spatial";
import type { MarketSession } from "./market-session.ts";

export interface LeaseSessions {
  all(): readonly MarketSession[];
  /** Resolves when the lease has ended and every session with it. Never rejects. */
  readonly ended: Promise<void>;
}

export type LeaseSessionsDeps = {
  readonly lease: Lease;
  readonly region: string;
  readonly serving: ServingRegions;
  /** Of the lease's partition, served or not. */
  readonly markets: readonly RegionMarket[];
  /** Runs until the signal of the lease it is given aborts. */
  readonly begin: (market: RegionMarket, lease: Lease) => Begun;
};

type Begun = { readonly session: MarketSession; readonly ended: Promise<void> };
type Running = Begun & { readonly control: AbortController };

export function followServed({ lease, region, serving, markets, begin }: LeaseSessionsDeps): LeaseSessions {
  const running = new Map<string, Running>();
  const ending: Promise<void>[] = [];

  function settle(): void {
    for (const market of markets) {
      const { marketId } = market;
      const isServed = serving.known && serving.of(market.homeRegion) === region;
      const known = running.get(marketId);
      if (isServed && known === undefined) {
        const control = new AbortController();
        running.set(marketId, { ...begin(market, { ...lease, signal: AbortSignal.any([lease.signal, control.signal]) }), control });
      } else if (!isServed && known !== undefined) {
        known.control.abort(new Error(`Region "${serving.of(market.homeRegion)}" serves market "${marketId}" now`));
        ending.push(known.ended);
        running.delete(marketId);
      }
    }
  }

  async function follow(): Promise<void> {
    while (!lease.signal.aborted) {
      const change = serving.change();
      settle();
      await until(AbortSignal.any([change, lease.signal]));
    }
    await Promise.all([...ending, ...[...running.values()].map(({ ended }) => ended)]);
  }

  return { all: () => [...running.values()].map(({ session }) => session), ended: follow() };
}

function until(signal: AbortSignal): Promise<void> {
  return signal.aborted ? Promise.resolve() : new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
