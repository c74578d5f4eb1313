/** Page tokens of keyset lists: the last row's sort key, opaque to clients. A token of our own making only. */
import { apiError } from "@ridegrid/rpc";
import { listPageDefault, listPageMax } from "./limits.ts";

export type PageKey = { readonly createTimeMs: number; readonly id: string };

export function pageSizeOf(asked: number): number {
  return asked === 0 ? listPageDefault : Math.min(asked, listPageMax);
}

export function encodePageToken({ createTimeMs, id }: PageKey): string {
  return Buffer.from(`${createTimeMs}/${id}`).toString("base64url");
}

/** Null for the first page. @throws FIELD_INVALID for what is no token. */
export function decodePageToken(token: string): PageKey | null {
  if (token === "") return null;
  const [time, id] = Buffer.from(token, "base64url").toString().split("/");
  const createTimeMs = Number(time);
  if (id === undefined || !/^[0-9a-f-]{36}$/.test(id) || !Number.isSafeInteger(createTimeMs) || Math.abs(createTimeMs) > 8.64e15) {
    throw apiError("FIELD_INVALID", `Page token "${token}" is none of this list's`, { field: "page_token" });
  }
  return { createTimeMs, id };
}
