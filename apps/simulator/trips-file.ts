/**
 * Reads a trips file: CSV with a header that names `pickup_time`, `dropoff_time`, the four coordinates and `passengers`.
 *
 * A row that makes no sense is counted and the rest carried on; a file without one good row is a fault.
 */
import type { LatLng } from "./geography.ts";
import { badRowsShownMax } from "./limits.ts";

export type Trip = { readonly pickup: LatLng; readonly dropoff: LatLng; readonly seats: number };
export type BadRow = { readonly line: number; readonly reason: string };

export type TripsFile = {
  readonly trips: readonly Trip[];
  /** From the first pickup to the last. */
  readonly spanSeconds: number;
  readonly badRows: number;
  /** The first few of them. */
  readonly badRowsShown: readonly BadRow[];
};

const columns = ["pickup_time", "dropoff_time", "pickup_latitude", "pickup_longitude", "dropoff_latitude", "dropoff_longitude", "passengers"] as const;
type Column = (typeof columns)[number];
type Row = { readonly trip: Trip; readonly pickupMs: number };

/** @throws with one clear sentence when the header lacks a column or no row is good. */
export function parseTrips(text: string): TripsFile {
  const lines = text.split("\n");
  const at = columnIndexes(lines[0] ?? "");
  const trips: Trip[] = [];
  const badRowsShown: BadRow[] = [];
  let badRows = 0;
  let firstMs = Infinity;
  let lastMs = -Infinity;
  for (let index = 1; index < lines.length; index++) {
    const line = lines[index]?.trim() ?? "";
    if (line === "") continue;
    const row = parseRow(line.split(","), at);
    if (typeof row === "string") {
      badRows++;
      if (badRowsShown.length < badRowsShownMax) badRowsShown.push({ line: index + 1, reason: row });
      continue;
    }
    trips.push(row.trip);
    firstMs = Math.min(firstMs, row.pickupMs);
    lastMs = Math.max(lastMs, row.pickupMs);
  }
  if (trips.length < 2 || lastMs <= firstMs)
    throw new Error(`it has ${trips.length} good rows and ${badRows} bad ones; at least two good ones at different times are needed`);
  return { trips, spanSeconds: (lastMs - firstMs) / 1_000, badRows, badRowsShown };
}

function columnIndexes(header: string): Readonly<Record<Column, number>> {
  const names = header
    .replace(/^\uFEFF/, "")
    .split(",")
    .map((name) => name.trim());
  const index = (column: Column): number => {
    const found = names.indexOf(column);
    if (found < 0) throw new Error(`its header has no column "${column}"`);
    return found;
  };
  return {
    pickup_time: index("pickup_time"),
    dropoff_time: index("dropoff_time"),
    pickup_latitude: index("pickup_latitude"),
    pickup_longitude: index("pickup_longitude"),
    dropoff_latitude: index("dropoff_latitude"),
    dropoff_longitude: index("dropoff_longitude"),
    passengers: index("passengers"),
  };
}

/** A reason in words when the row is bad. */
function parseRow(cells: readonly string[], at: Readonly<Record<Column, number>>): Row | string {
  const cell = (column: Column): string => cells[at[column]]?.trim() ?? "";
  const pickupMs = Date.parse(cell("pickup_time"));
  const dropoffMs = Date.parse(cell("dropoff_time"));
  if (Number.isNaN(pickupMs)) return `pickup_time "${cell("pickup_time")}" is not a time`;
  if (Number.isNaN(dropoffMs)) return `dropoff_time "${cell("dropoff_time")}" is not a time`;
  if (dropoffMs < pickupMs) return "dropoff_time is before pickup_time";
  const pickup = point(cell, "pickup_latitude", "pickup_longitude");
  if (typeof pickup === "string") return pickup;
  const dropoff = point(cell, "dropoff_latitude", "dropoff_longitude");
  if (typeof dropoff === "string") return dropoff;
  const passengers = number(cell("passengers"));
  if (!Number.isInteger(passengers) || passengers < 0 || passengers > 8) return `passengers "${cell("passengers")}" is not a whole number from 0 to 8`;
  // Meters write 0 when nobody typed the number.
  return { pickupMs, trip: { pickup, dropoff, seats: Math.max(1, passengers) } };
}

function point(cell: (column: Column) => string, latitudeColumn: Column, longitudeColumn: Column): LatLng | string {
  const latitude = number(cell(latitudeColumn));
  const longitude = number(cell(longitudeColumn));
  if (!(Math.abs(latitude) <= 90)) return `${latitudeColumn} "${cell(latitudeColumn)}" is not a latitude`;
  if (!(Math.abs(longitude) <= 180)) return `${longitudeColumn} "${cell(longitudeColumn)}" is not a longitude`;
  // Null Island: what a receiver writes when it has no fix.
  if (latitude === 0 && longitude === 0) return `${latitudeColumn} and ${longitudeColumn} are 0`;
  return { latitude, longitude };
}

function number(text: string): number {
  return text === "" ? NaN : Number(text);
}
