/** The page token of a search over all regions: where each of them goes on. Opaque to clients, checked when it returns. */
import { apiError } from "@ridegrid/rpc";
import type { Regions } from "@ridegrid/spatial";

/** `token` is the region's own, `after` the last ride taken so far; empty strings at the start. */
export type Place = { readonly token: string; readonly after: string };

export function encodePlaces(places: ReadonlyMap<string, Place>): string {
  const parts = [...places].map(([region, { token, after }]) => [region, token, after]);
  return Buffer.from(JSON.stringify(parts)).toString("base64url");
}

/** @throws FIELD_INVALID for a token that is none of ours. */
export function decodePlaces(pageToken: string, regions: Regions): ReadonlyMap<string, Place> {
  const parts = parse(pageToken);
  const known = new Set(regions.all.map(({ id }) => id));
  if (!Array.isArray(parts) || !parts.every((part): part is [string, string, string] => isPart(part, known))) {
    throw apiError("FIELD_INVALID", `Cannot go on from page token "${pageToken}": no search made it`, { field: "page_token" });
  }
  return new Map(parts.map(([region, token, after]) => [region, { token, after }]));
}

function isPart(part: unknown, regions: ReadonlySet<string>): part is [string, string, string] {
  return Array.isArray(part) && part.length === 3 && part.every((each) => typeof each === "string") && regions.has(String(part[0]));
}

function parse(pageToken: string): unknown {
  try {
    return JSON.parse(Buffer.from(pageToken, "base64url").toString("utf8"));
  } catch {
    return undefined;
  }
}
