/** A wait that an abort cuts short, told by the answer and not by an exception. */

/** True when the time went by, false when the signal cut it short. */
export function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const timer = setTimeout(
      () => {
        signal.removeEventListener("abort", cut);
        resolve(true);
      },
      Math.max(0, ms),
    );
    function cut(): void {
      clearTimeout(timer);
      resolve(false);
    }
    signal.addEventListener("abort", cut, { once: true });
  });
}

/** A controller that its parent's abort aborts too. `dispose` forgets the parent, which may live much longer. */
export function childController(parent: AbortSignal): { readonly controller: AbortController; readonly dispose: () => void } {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  if (parent.aborted) abort();
  else parent.addEventListener("abort", abort, { once: true });
  return { controller, dispose: () => parent.removeEventListener("abort", abort) };
}
