/** Ids that are valid UUIDv7s, differ by seed, and come in the same order in every run. */
import type { IdSource } from "@ridegrid/domain";

/** Two sources with different seeds never make the same id. Seeds and counts are below 2^32. */
export function createSequentialIds(seed: number): IdSource {
  let made = 0;
  return {
    uuid() {
      made += 1;
      const count = hex(made, 12);
      const tail = hex(seed, 12);
      return `${count.slice(0, 8)}-${count.slice(8)}-7000-8000-${tail}`;
    },
  };
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
