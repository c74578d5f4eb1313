/** A binary heap: the least entry first. Ties come in an order that depends only on what was pushed and when. */
export interface MinHeap<T> {
  push(entry: T): void;
  pop(): T | undefined;
}

export function createMinHeap<T>(compare: (a: T, b: T) => number): MinHeap<T> {
  const entries: T[] = [];

  function swapIfLess(child: number, parent: number): boolean {
    const [a, b] = [entries[child], entries[parent]];
    if (a === undefined || b === undefined || compare(a, b) >= 0) return false;
    entries[child] = b;
    entries[parent] = a;
    return true;
  }

  function sink(): void {
    for (let at = 0; ;) {
      const left = 2 * at + 1;
      const [a, b] = [entries[left], entries[left + 1]];
      const least = a !== undefined && b !== undefined && compare(b, a) < 0 ? left + 1 : left;
      if (!swapIfLess(least, at)) return;
      at = least;
    }
  }

  return {
    push(entry) {
      let at = entries.push(entry) - 1;
      while (at > 0 && swapIfLess(at, (at - 1) >> 1)) at = (at - 1) >> 1;
    },
    pop() {
      const [first] = entries;
      const last = entries.pop();
      if (entries.length > 0 && last !== undefined) {
        entries[0] = last;
        sink();
      }
      return first;
    },
  };
}
