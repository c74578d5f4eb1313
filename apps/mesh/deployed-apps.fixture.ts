/** What a deployment's commands and variables mean to the program: the same readers that `main.ts` uses. */
import { type Environment, variables } from "@ridegrid/runtime";
import { type AppTarget, allTargets } from "./app-target.ts";
import { parseNothing, parseStart } from "./command-line.ts";
import { defaultRegionsFile, readRegionsFile } from "./regions-file.ts";

export const regionIds: readonly string[] = readRegionsFile(defaultRegionsFile).all.map(({ id }) => id);

/** The apps that a command starts; none for `migrate` and `redis-bridge`. @throws what a person would be told. */
export function targetsOfCommand([command = "", ...args]: readonly string[], flyRegion?: string): readonly AppTarget[] {
  if (command === "migrate" || command === "redis-bridge") {
    parseNothing(command, args);
    return [];
  }
  if (command !== "start") throw new Error(`There is no command "${command}" for a deployment`);
  const { apps, regions } = parseStart(args, flyRegion);
  return allTargets(regions).filter(({ app }) => apps.includes(app));
}

/** Names that no reader knows: misspelled, or with the suffix of a region that there is not. */
export function unknownVariables(environment: Environment): readonly string[] {
  const known = Object.entries(variables).flatMap(([name, variable]) => [
    name,
    ...("perRegion" in variable ? regionIds.map((region) => `${name}_${region.toUpperCase()}`) : []),
  ]);
  return Object.keys(environment).filter((name) => !known.includes(name));
}
