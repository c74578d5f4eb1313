/**
 * A hash of the read model of rides: SHA-256 over each ride's canonical JSON, in order of ride id. Equal models have
 * equal hashes, however they came to be.
 */
import type { Ride } from "@ridegrid/domain";

/** `pages` are in order of ride id. */
export async function hashRides(pages: AsyncIterable<readonly Ride[]>): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256");
  for await (const rides of pages) for (const ride of rides) hasher.update(`${canonicalJson(ride)}\n`);
  return hasher.digest("hex");
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (item === null || typeof item !== "object" || Array.isArray(item)) return item;
    return Object.fromEntries(Object.entries(item).toSorted(([left], [right]) => (left < right ? -1 : 1)));
  });
}
