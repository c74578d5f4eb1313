/**
 * Cursors of streams: opaque to clients, versions to us. `r.<version>` follows a ride, `d.<version>` a driver, and
 * `d.<version>.<parts>` a driver whose snapshot was cut after so many of its messages.
 */
import { apiError } from "@ridegrid/rpc";

export type DriverCursor = { readonly version: number; readonly partsSent: number | null };

export function rideCursor(version: number): string {
  return `r.${version}`;
}

/** Null without a cursor. @throws FIELD_INVALID for anything that is none of ours. */
export function parseRideCursor(cursor: string): number | null {
  if (cursor === "") return null;
  const version = /^r\.(\d{1,15})$/.exec(cursor)?.[1];
  if (version === undefined || Number(version) < 1) throw malformed(cursor);
  return Number(version);
}

export function driverCursor({ version, partsSent }: DriverCursor): string {
  return partsSent === null ? `d.${version}` : `d.${version}.${partsSent}`;
}

/** Null without a cursor. @throws FIELD_INVALID for anything that is none of ours. */
export function parseDriverCursor(cursor: string): DriverCursor | null {
  if (cursor === "") return null;
  const parts = /^d\.(\d{1,15})(?:\.([1-9]))?$/.exec(cursor);
  if (parts?.[1] === undefined) throw malformed(cursor);
  return { version: Number(parts[1]), partsSent: parts[2] === undefined ? null : Number(parts[2]) };
}

function malformed(cursor: string): Error {
  return apiError("FIELD_INVALID", `Cannot resume from cursor "${cursor}": no stream of this kind made it`, { field: "cursor" });
}
