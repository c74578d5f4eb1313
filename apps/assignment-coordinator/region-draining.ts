/** The refusal of new rides and shifts by a region that drains. */
import type { Refusal } from "@ridegrid/domain";

export function regionDraining(region: string): Refusal {
  return { kind: "refused", reason: "region_draining", message: `Region "${region}" is draining: it takes no new rides and shifts` };
}
