/**
 * Which region serves a region's markets, asked of the coordinator now and then. The last answer stands while the
 * coordinator is away: a takeover is noticed late then, and whoever acts on the old answer is refused by epochs.
 */
import { asService } from "./caller.ts";
import { servingPollMs, servingPollTimeoutMs } from "./limits.ts";
import type { ServiceDirectory } from "./service-directory.ts";

export interface ServingRegions {
  /** Asks for the first time, and goes on asking. Never rejects. */
  start(): Promise<void>;
  stop(): void;
  /** Whether the coordinator ever answered. */
  readonly known: boolean;
  /** The region that serves what is configured in `region`: itself until a takeover is known. */
  of(region: string): string;
  /** Whether the region serves anything: its own markets or others'. */
  isServing(region: string): boolean;
  /** Aborts when a change is noticed; the next call answers another signal. */
  change(): AbortSignal;
}

export type ServingRegionsDeps = { readonly directory: ServiceDirectory; readonly serviceName: string };

export function createServingRegions({ directory, serviceName }: ServingRegionsDeps): ServingRegions {
  let servedBy: ReadonlyMap<string, string> = new Map();
  let epochs = "";
  let changing = new AbortController();
  let known = false;
  let stopped = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function look(): Promise<void> {
    try {
      const { regions } = await directory.coordinator().listRegionStates({}, asService(serviceName, { timeoutMs: servingPollTimeoutMs }));
      const next = regions.map((state) => `${state.region} ${state.servedBy} ${state.epoch}`).join("\n");
      servedBy = new Map(regions.flatMap((state) => (state.servedBy === "" ? [] : [[state.region, state.servedBy] as const])));
      if (next !== epochs) tell();
      epochs = next;
      known = true;
    } catch {
      // The last answer stands.
    }
    if (!stopped) timer = setTimeout(() => void look(), servingPollMs);
  }

  const of = (region: string): string => servedBy.get(region) ?? region;

  function tell(): void {
    const told = changing;
    changing = new AbortController();
    told.abort(new Error("Another region serves some market now"));
  }

  return {
    start: look,
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
    get known() {
      return known;
    },
    of,
    isServing: (region) => of(region) === region || [...servedBy.values()].includes(region),
    change: () => changing.signal,
  };
}
