/**
 * A map that remembers at which revision each entry last changed or went, so that readers who are at different
 * revisions each get what they miss. What it remembers of what went is bounded: a reader behind that starts anew.
 */
export interface RevisedMap<T> {
  /** Makes the map hold exactly `entries`, as of `revision`; says whether anything changed. */
  replace(entries: ReadonlyMap<string, T>, revision: number): boolean;
  values(): readonly T[];
  /** Null when too much has gone since to say. */
  since(revision: number): { readonly changed: readonly T[]; readonly gone: readonly string[] } | null;
}

export type RevisedMapOptions<T> = { readonly same: (left: T, right: T) => boolean; readonly goneMax: number };

export function createRevisedMap<T>({ same, goneMax }: RevisedMapOptions<T>): RevisedMap<T> {
  const held = new Map<string, { readonly value: T; readonly revision: number }>();
  // In order of revision, so that the first entry is the one to forget.
  const gone = new Map<string, number>();
  let forgotten = 0;

  function leave(key: string, revision: number): void {
    held.delete(key);
    gone.delete(key);
    gone.set(key, revision);
    for (const [oldest, at] of gone) {
      if (gone.size <= goneMax) return;
      gone.delete(oldest);
      forgotten = at;
    }
  }

  return {
    replace(entries, revision) {
      let changed = false;
      for (const [key, value] of entries) {
        const known = held.get(key);
        if (known !== undefined && same(known.value, value)) continue;
        held.set(key, { value, revision });
        gone.delete(key);
        changed = true;
      }
      for (const key of [...held.keys()]) {
        if (entries.has(key)) continue;
        leave(key, revision);
        changed = true;
      }
      return changed;
    },
    values: () => [...held.values()].map(({ value }) => value),
    since(revision) {
      if (revision < forgotten) return null;
      const changed = [...held.values()].filter((one) => one.revision > revision).map(({ value }) => value);
      return { changed, gone: [...gone].filter(([, at]) => at > revision).map(([key]) => key) };
    },
  };
}
