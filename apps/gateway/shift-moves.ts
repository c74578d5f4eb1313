/** Tells a driver's open streams on this gateway that a shift began, so that they look at once where it is at home. */
export interface ShiftMoves {
  began(driverId: string, homeRegion: string): void;
  /** Calls back with the home region of each shift that begins; returns how to stop. */
  listen(driverId: string, listener: (homeRegion: string) => void): () => void;
}

export function createShiftMoves(): ShiftMoves {
  const listeners = new Map<string, Set<(homeRegion: string) => void>>();
  return {
    began(driverId, homeRegion) {
      for (const listener of listeners.get(driverId) ?? []) listener(homeRegion);
    },
    listen(driverId, listener) {
      const own = listeners.get(driverId) ?? new Set();
      own.add(listener);
      listeners.set(driverId, own);
      return () => {
        own.delete(listener);
        if (own.size === 0) listeners.delete(driverId);
      };
    },
  };
}
