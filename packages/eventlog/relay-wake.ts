/** A wait that a poke ends; a poke that comes while nobody waits is kept for the next wait. */
export interface RelayWake {
  poke(): void;
  /** True when poked, false after `ms` or an abort. */
  wait(ms: number, signal: AbortSignal): Promise<boolean>;
}

export function createRelayWake(): RelayWake {
  let poked = false;
  let wakeUp: (() => void) | undefined;

  function sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const finish = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", finish);
        wakeUp = undefined;
        resolve();
      };
      const timer = setTimeout(finish, ms);
      signal.addEventListener("abort", finish, { once: true });
      wakeUp = finish;
    });
  }

  return {
    poke() {
      poked = true;
      wakeUp?.();
    },
    async wait(ms, signal) {
      if (!poked && !signal.aborted) await sleep(ms, signal);
      const was = poked;
      poked = false;
      return was;
    },
  };
}
