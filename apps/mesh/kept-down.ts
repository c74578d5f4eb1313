/**
 * Apps that are to stay down when they die: names such as "matching-worker.ewr", one a line, in the file `down` of the
 * data folder. It is how a region is lost on one machine; whoever is taken off the list comes back.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export function keptDownFile(directory: string): string {
  return join(directory, "down");
}

export function isKeptDown(directory: string, name: string): boolean {
  return lines(keptDownFile(directory)).includes(name);
}

function lines(path: string): readonly string[] {
  try {
    return readFileSync(path, "utf8")
      .split("\n")
      .map((line) => line.trim());
  } catch {
    // No file: nobody is.
    return [];
  }
}
