/** Reads the regions file. What is wrong with it is a `Complaint` that names the file and the field. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { loadRegions, type Regions } from "@ridegrid/spatial";
import { Complaint } from "./complaint.ts";

export const defaultRegionsFile = join(import.meta.dir, "../../deploy/regions.json");

export function readRegionsFile(path: string): Regions {
  try {
    return loadRegions(JSON.parse(readFileSync(path, "utf8")));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Complaint(`Cannot read the regions file "${path}": ${reason.replaceAll("\n", " ")}`, { cause });
  }
}
