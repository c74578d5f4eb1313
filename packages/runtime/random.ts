/** The dice of a running system. Nothing secret is made from them. */
import type { Random } from "@ridegrid/domain";

export function createSystemRandom(): Random {
  return { next: () => Math.random() };
}
