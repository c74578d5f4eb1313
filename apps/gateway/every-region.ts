/** Asks something of every region at once; a region that does not answer in time is missing, not an error. */
import { isAway } from "./dependency.ts";

export type RegionAnswer<T> = { readonly region: string; readonly answer: T | undefined };

/** @throws what is not a region being away, such as a refusal. */
export function askEveryRegion<T>(regions: readonly string[], call: (region: string) => Promise<T>): Promise<readonly RegionAnswer<T>[]> {
  return Promise.all(
    regions.map(async (region) => {
      try {
        return { region, answer: await call(region) };
      } catch (error) {
        if (isAway(error)) return { region, answer: undefined };
        throw error;
      }
    }),
  );
}

export function missing(answers: readonly RegionAnswer<unknown>[]): string[] {
  return answers.flatMap(({ region, answer }) => (answer === undefined ? [region] : []));
}
