/**
 * Wakes this process's watchers for what another process folded: one small statement for all of them, and only while
 * there are watchers and a partition that is not this process's own.
 */
import { physicalTopic } from "@ridegrid/contracts";
import { loadCheckpoint } from "@ridegrid/eventlog";
import type { ProcessContext, Sql } from "@ridegrid/runtime";
import { setTimeout as sleep } from "node:timers/promises";
import { consumerName } from "./consumer-name.ts";
import type { DriverStore } from "./driver-store.ts";
import { sharedPollKeysMax, sharedPollMs } from "./limits.ts";
import { retryForever } from "./retry-forever.ts";
import type { RideStore } from "./ride-store.ts";
import type { WatchKey, Wakeups } from "./wakeups.ts";

export type SharedPollDeps = {
  readonly context: ProcessContext;
  readonly sql: Sql;
  readonly region: string;
  readonly partitions: readonly number[];
  readonly rides: RideStore;
  readonly drivers: DriverStore;
  readonly wakeups: Wakeups;
  /** Whether this process folds the partition, and so wakes its watchers itself. */
  readonly isOurs: (partition: number) => boolean;
};

/** Resolves when `signal` aborts. */
export async function pollForOthers(deps: SharedPollDeps, signal: AbortSignal): Promise<void> {
  const sources = deps.partitions.flatMap((partition) => [rideSource(deps, partition), driverSource(deps, partition)]);
  const step = async (): Promise<void> => {
    await sleep(sharedPollMs, undefined, { signal });
    for (const source of sources) {
      if (deps.wakeups.size() === 0 || deps.isOurs(source.partition)) source.forget();
      else await source.look();
    }
  };
  const onFailure = (error: unknown, attempt: number): void => {
    if (attempt === 1) deps.context.logger.warn({ error }, "cannot look for what another process folded; trying again");
  };
  await retryForever(step, { random: deps.context.random, signal, onFailure });
}

type Source = { readonly partition: number; look(): Promise<void>; forget(): void };
type ChangedKeys = (from: number, to: number) => Promise<readonly WatchKey[]>;

function rideSource(deps: SharedPollDeps, partition: number): Source {
  const changed: ChangedKeys = async (from, to) =>
    (await deps.rides.changedBetween(partition, from, to, sharedPollKeysMax)).map((id): WatchKey => `ride:${id}`);
  return createSource(deps, { topic: physicalTopic(deps.region, "ride-events.v1"), partition, changed });
}

function driverSource(deps: SharedPollDeps, partition: number): Source {
  const changed: ChangedKeys = async (from, to) =>
    (await deps.drivers.changedBetween(partition, from, to, sharedPollKeysMax)).map((id): WatchKey => `driver:${id}`);
  return createSource(deps, { topic: physicalTopic(deps.region, "driver-events.v1"), partition, changed });
}

function createSource(
  deps: SharedPollDeps,
  { topic, partition, changed }: { readonly topic: string; readonly partition: number; readonly changed: ChangedKeys },
): Source {
  let seen: number | null = null;
  return {
    partition,
    forget() {
      seen = null;
    },
    async look() {
      const next = (await loadCheckpoint(deps.sql, { homeRegion: deps.region, consumer: consumerName, topic, partition })) ?? 0;
      const from = seen;
      if (from === next) return;
      const keys = from === null ? [] : await changed(from, next);
      // Where the change began is unknown, or it is too large to name: everybody looks once.
      if (from === null || keys.length >= sharedPollKeysMax) deps.wakeups.wakeAll();
      for (const key of keys) deps.wakeups.wake(key);
      seen = next;
    },
  };
}
