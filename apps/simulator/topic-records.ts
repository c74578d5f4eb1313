/** How many records each topic of the platform has ever held, as its operators see it. */
import type { Identity } from "./identity.ts";
import type { World } from "./world.ts";

/** End offsets by `<region>.<topic>`, summed over partitions; null when the platform did not say. */
export async function topicEnds(world: Pick<World, "calls" | "gateway">, operator: Identity): Promise<ReadonlyMap<string, number> | null> {
  const answer = await world.calls.run(operator, (options) => world.gateway.ops.getPipelineHealth({}, options));
  if (answer.kind !== "done") return null;
  const ends = new Map<string, number>();
  for (const { region, topic, endOffset } of answer.value.topics) {
    const name = `${region}.${topic}`;
    ends.set(name, (ends.get(name) ?? 0) + Number(endOffset));
  }
  return ends;
}

/** What came between two readings; topics without a record are left out. */
export function recordsBetween(before: ReadonlyMap<string, number> | null, after: ReadonlyMap<string, number> | null): Readonly<Record<string, number>> {
  if (before === null || after === null) return {};
  const grown = [...after].map(([name, end]): [string, number] => [name, end - (before.get(name) ?? 0)]);
  return Object.fromEntries(grown.filter(([, records]) => records > 0));
}
