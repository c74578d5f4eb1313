/** A Map keeps the order of insertion: putting a key beyond `max` drops the one that was put longest ago. */
export function putBounded<K, V>(map: Map<K, V>, entry: readonly [K, V], max: number): void {
  const [key, value] = entry;
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= max) return;
    map.delete(oldest);
  }
}
