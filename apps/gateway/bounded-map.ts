/** A map that forgets what was used longest ago once it is full. */
import { putBounded } from "@ridegrid/domain";

export interface BoundedMap<K, V> {
  get(key: K): V | undefined;
  set(key: K, value: V): void;
  delete(key: K): void;
  clear(): void;
}

export function createBoundedMap<K, V>(capacity: number): BoundedMap<K, V> {
  const entries = new Map<K, V>();
  return {
    get(key) {
      const value = entries.get(key);
      if (value === undefined) return undefined;
      // A Map keeps the order of insertion: the first key is the one used longest ago. While half of it is free, none will go soon.
      if (entries.size <= capacity / 2) return value;
      entries.delete(key);
      entries.set(key, value);
      return value;
    },
    set: (key, value) => putBounded(entries, [key, value], capacity),
    delete(key) {
      entries.delete(key);
    },
    clear: () => entries.clear(),
  };
}
