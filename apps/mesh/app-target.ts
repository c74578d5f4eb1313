/**
 * Which apps there are, which of them live in a region, and what one running app is called.
 *
 * The coordinator is global; every other app runs once for each region.
 */
import type { ServiceName } from "@ridegrid/rpc";

export const appNames = ["assignment-coordinator", "matching-worker", "telemetry-ingest", "state-query", "gateway"] as const;
export type AppName = (typeof appNames)[number];

/** One app to run; `region` is null for the coordinator only. */
export type AppTarget = { readonly app: AppName; readonly region: string | null };

/** The service an app offers to the others; a gateway offers none. */
export const serviceOfApp: Readonly<Record<AppName, ServiceName | null>> = {
  "assignment-coordinator": "coordinator",
  "matching-worker": "matching",
  "telemetry-ingest": "ingest",
  "state-query": "state",
  gateway: null,
};

export function isAppName(name: string): name is AppName {
  return appNames.some((known) => known === name);
}

/** "gateway.ewr"; "assignment-coordinator". */
export function targetName({ app, region }: AppTarget): string {
  return region === null ? app : `${app}.${region}`;
}

/** Every app of every region, in the order in which they start: what others need comes first, gateways last. */
export function allTargets(regions: readonly string[]): readonly AppTarget[] {
  return appNames.flatMap((app): readonly AppTarget[] =>
    app === "assignment-coordinator" ? [{ app, region: null }] : regions.map((region) => ({ app, region })),
  );
}
