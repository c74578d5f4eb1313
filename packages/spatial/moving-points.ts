/**
 * Points that move, by a dense slot: a structure of typed arrays, written in place as positions arrive.
 *
 * A slot is its owner's until released, then somebody else's. Holds at most `capacity` points; `claim` refuses more.
 * Coordinates are local metres as Float32: 4 mm at 50 km. It does not know which points are worth finding: the grid does.
 */
export type PointColumns = {
  readonly x: Float32Array;
  readonly y: Float32Array;
  /** When the point was observed, milliseconds since the Unix epoch; 0 in a slot that was never placed. */
  readonly observedAtMs: Float64Array;
  /** Bits of the owner's choosing. */
  readonly flags: Uint8Array;
  readonly seats: Uint8Array;
};

export interface MovingPoints {
  /** Replaced when the arrays grow: do not keep it across `claim`. */
  readonly columns: PointColumns;
  /** Points that have a slot. */
  readonly size: number;
  /** One past the highest slot in use. */
  readonly slotEnd: number;
  slotOf(id: string): number | undefined;
  /** Undefined for a slot that nobody has. */
  idAt(slot: number): string | undefined;
  /** The slot of `id`, a fresh zeroed one at first; undefined when all are taken. */
  claim(id: string): number | undefined;
  release(id: string): void;
  ids(): Iterable<string>;
}

export function createMovingPoints(options: { readonly capacity: number; readonly initial?: number }): MovingPoints {
  let columns = allocate(Math.min(options.capacity, options.initial ?? 1_024));
  const slots = new Map<string, number>();
  const owners: (string | undefined)[] = [];
  const free: number[] = [];

  function claim(id: string): number | undefined {
    const known = slots.get(id);
    if (known !== undefined) return known;
    if (slots.size >= options.capacity) return undefined;
    const slot = free.pop() ?? owners.length;
    if (slot >= columns.x.length) columns = grow(columns, Math.min(options.capacity, columns.x.length * 2));
    for (const column of Object.values(columns)) column[slot] = 0;
    owners[slot] = id;
    slots.set(id, slot);
    return slot;
  }

  function release(id: string): void {
    const slot = slots.get(id);
    if (slot === undefined) return;
    slots.delete(id);
    owners[slot] = undefined;
    columns.observedAtMs[slot] = 0;
    columns.flags[slot] = 0;
    free.push(slot);
  }

  return {
    get columns() {
      return columns;
    },
    get size() {
      return slots.size;
    },
    get slotEnd() {
      return owners.length;
    },
    slotOf: (id) => slots.get(id),
    idAt: (slot) => owners[slot],
    claim,
    release,
    ids: () => slots.keys(),
  };
}

function allocate(length: number): PointColumns {
  return {
    x: new Float32Array(length),
    y: new Float32Array(length),
    observedAtMs: new Float64Array(length),
    flags: new Uint8Array(length),
    seats: new Uint8Array(length),
  };
}

function grow(old: PointColumns, length: number): PointColumns {
  const grown = allocate(length);
  grown.x.set(old.x);
  grown.y.set(old.y);
  grown.observedAtMs.set(old.observedAtMs);
  grown.flags.set(old.flags);
  grown.seats.set(old.seats);
  return grown;
}
