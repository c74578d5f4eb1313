/** The ids of a running system: UUIDv7, so that keys made later sort later. */
import type { IdSource } from "@ridegrid/domain";

export function createSystemIds(): IdSource {
  return { uuid: () => Bun.randomUUIDv7() };
}
