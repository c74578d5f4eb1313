/** Files that the command line names: trips, and a mesh.json with gateways. What cannot be read is one clear line. */
import { readFileSync } from "node:fs";
import { Complaint } from "./complaint.ts";
import { parseTrips, type TripsFile } from "./trips-file.ts";

export function readTrips(path: string): TripsFile {
  try {
    return parseTrips(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new Complaint(`Cannot read trips file "${path}": ${reasonOf(cause)}`, { cause });
  }
}

/** A URL stands for itself; anything else is the path of a mesh.json. */
export function readGateways(urls: readonly string[]): Readonly<Record<string, string>> {
  const gateways: Record<string, string> = {};
  for (const [index, given] of urls.entries()) {
    if (/^https?:\/\//.test(given)) gateways[`gateway ${index + 1}`] = given;
    else Object.assign(gateways, meshGateways(given));
  }
  return gateways;
}

function meshGateways(path: string): Readonly<Record<string, string>> {
  try {
    const mesh: unknown = JSON.parse(readFileSync(path, "utf8"));
    const gateways: unknown = typeof mesh === "object" && mesh !== null && "gateways" in mesh ? mesh.gateways : null;
    if (typeof gateways !== "object" || gateways === null) throw new Error('it has no "gateways"');
    return Object.fromEntries(Object.entries(gateways).map(([region, url]) => [region, String(url)]));
  } catch (cause) {
    throw new Complaint(`Cannot use --url "${path}": it is neither an http URL nor a mesh.json (${reasonOf(cause)})`, { cause });
  }
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return "code" in cause && cause.code === "ENOENT" ? "there is no such file" : cause.message;
}
