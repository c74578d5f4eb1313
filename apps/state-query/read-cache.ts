/**
 * What may be read again soon: values with a version, each kept for a while, the newest of a key.
 *
 * Nothing depends on it. An adapter that cannot reach its store says so by throwing, and whoever asks goes to the tables.
 */
export type CachedValue = { readonly version: number; readonly value: string };

export interface ReadCache {
  /** Null when there is none, or no more. @throws when the store did not answer in time. */
  get(key: string): Promise<CachedValue | null>;
  /** Does nothing where something newer is kept. @throws when the store did not answer in time. */
  put(key: string, cached: CachedValue, keptMs: number): Promise<void>;
}
