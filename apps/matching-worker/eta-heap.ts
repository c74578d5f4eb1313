/**
 * Rows by their travel time, least first, equal ones in the order of the rows: a binary heap in typed arrays, used
 * again tick after tick. A row is in it once at most.
 */
export interface EtaHeap {
  clear(): void;
  push(row: number, etaSeconds: number): void;
  /** -1 when it is empty. */
  pop(): number;
}

export function createEtaHeap(): EtaHeap {
  let rows = new Int32Array(1_024);
  let etas = new Float64Array(1_024);
  let size = 0;

  function isBefore(left: number, right: number): boolean {
    const a = etas[left] ?? 0;
    const b = etas[right] ?? 0;
    return a < b || (a === b && (rows[left] ?? 0) < (rows[right] ?? 0));
  }

  function move(from: number, to: number): void {
    rows[to] = rows[from] ?? -1;
    etas[to] = etas[from] ?? 0;
  }

  function swap(left: number, right: number): void {
    const row = rows[left] ?? -1;
    const eta = etas[left] ?? 0;
    move(right, left);
    rows[right] = row;
    etas[right] = eta;
  }

  return {
    clear() {
      size = 0;
    },
    push(row, etaSeconds) {
      if (size === rows.length) {
        rows = grown(rows, new Int32Array(size * 2));
        etas = grown(etas, new Float64Array(size * 2));
      }
      let at = size++;
      rows[at] = row;
      etas[at] = etaSeconds;
      for (let parent = (at - 1) >> 1; at > 0 && isBefore(at, parent); parent = (at - 1) >> 1) {
        swap(at, parent);
        at = parent;
      }
    },
    pop() {
      if (size === 0) return -1;
      const first = rows[0] ?? -1;
      move(--size, 0);
      for (let at = 0; ;) {
        const left = 2 * at + 1;
        if (left >= size) return first;
        const least = left + 1 < size && isBefore(left + 1, left) ? left + 1 : left;
        if (!isBefore(least, at)) return first;
        swap(least, at);
        at = least;
      }
    },
  };
}

function grown<T extends Int32Array | Float64Array>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}
