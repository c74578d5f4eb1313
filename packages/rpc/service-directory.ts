/**
 * Where RideGrid's own services are reached. In one process the transports are in memory, in many they are h2c or
 * mutual TLS; callers cannot tell.
 */
import { type Client, createClient, type Transport } from "@connectrpc/connect";
import { CoordinatorService, IngestService, MatchingService, StateService } from "@ridegrid/contracts";

export interface ServiceDirectory {
  coordinator(): Client<typeof CoordinatorService>;
  matching(region: string): Client<typeof MatchingService>;
  ingest(region: string): Client<typeof IngestService>;
  state(region: string): Client<typeof StateService>;
}

export type ServiceName = "coordinator" | "matching" | "ingest" | "state";

/** `transport` is asked once for each service and region; the coordinator is global and has no region. */
export function createServiceDirectory(transport: (service: ServiceName, region: string | null) => Transport): ServiceDirectory {
  const coordinator = once(() => createClient(CoordinatorService, transport("coordinator", null)));
  const matching = perRegion((region) => createClient(MatchingService, transport("matching", region)));
  const ingest = perRegion((region) => createClient(IngestService, transport("ingest", region)));
  const state = perRegion((region) => createClient(StateService, transport("state", region)));
  return { coordinator, matching, ingest, state };
}

function perRegion<T>(create: (region: string) => T): (region: string) => T {
  const made = new Map<string, T>();
  return (region) => {
    const known = made.get(region);
    if (known !== undefined) return known;
    const created = create(region);
    made.set(region, created);
    return created;
  };
}

function once<T>(create: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= create());
}
