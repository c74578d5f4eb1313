/** Collects what must not happen. All are counted, the first ones kept in words. */
import { violationsKeptMax } from "./limits.ts";

export type Violation = { readonly invariant: string; readonly detail: string };

export interface Witness {
  report(violation: Violation): void;
  readonly count: number;
  readonly violations: readonly Violation[];
}

export function createWitness(onViolation: (violation: Violation) => void = () => {}): Witness {
  const violations: Violation[] = [];
  let count = 0;
  return {
    report(violation) {
      count++;
      if (violations.length < violationsKeptMax) violations.push(violation);
      onViolation(violation);
    },
    get count() {
      return count;
    },
    violations,
  };
}

/**
 * Checks the versions that a stream brings. `repeats` says whether several messages may tell of one version.
 * A message marked `reset` may skip versions, never go back.
 */
export function createVersionCheck(witness: Witness, what: string, { repeats }: { readonly repeats: boolean }): (version: number, reset: boolean) => void {
  let last: number | null = null;
  return (version, reset) => {
    const before = last;
    last = Math.max(version, last ?? version);
    if (before === null) return;
    if (version < before) witness.report({ invariant: "I7", detail: `${what} went back from version ${before} to ${version}` });
    else if (version === before && !repeats && !reset) witness.report({ invariant: "I7", detail: `${what} told version ${version} twice` });
    else if (version > before + 1 && !reset) witness.report({ invariant: "I6", detail: `${what} skipped from version ${before} to ${version}` });
  };
}
