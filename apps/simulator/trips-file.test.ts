/** Trips files: good rows, bad rows with their line numbers, and files that cannot be used. */
import { describe, expect, test } from "bun:test";
import { parseTrips } from "./trips-file.ts";

const header = "pickup_time,dropoff_time,pickup_latitude,pickup_longitude,dropoff_latitude,dropoff_longitude,passengers,distance_miles";
const good = "2015-01-15T13:08:41Z,2015-01-15T13:26:26Z,40.725075,-73.994865,40.744865,-73.991295,1,1.8";
const later = "2015-01-15T13:10:41Z,2015-01-15T13:26:26Z,40.7,-73.9,40.8,-73.8,0,1.8";

describe("parseTrips()", () => {
  test("reads rows whatever the order of the columns", () => {
    const { trips, spanSeconds, badRows } = parseTrips(`${header}\r\n${good}\r\n${later}\r\n\r\n`);
    expect(trips[0]).toEqual({ pickup: { latitude: 40.725075, longitude: -73.994865 }, dropoff: { latitude: 40.744865, longitude: -73.991295 }, seats: 1 });
    expect(trips[1]?.seats).toBe(1);
    expect({ spanSeconds, badRows }).toEqual({ spanSeconds: 120, badRows: 0 });
    const swapped = parseTrips(
      "passengers,dropoff_time,pickup_time,pickup_longitude,pickup_latitude,dropoff_latitude,dropoff_longitude\n2,2015-01-15T13:26:26Z,2015-01-15T13:08:41Z,-73,40,41,-74\n2,2015-01-15T13:26:26Z,2015-01-15T13:09:41Z,-73,40,41,-74",
    );
    expect(swapped.trips[0]).toEqual({ pickup: { latitude: 40, longitude: -73 }, dropoff: { latitude: 41, longitude: -74 }, seats: 2 });
  });

  test("counts bad rows, shows the first few with their lines and carries on", () => {
    const bad = [
      good.replace("2015-01-15T13:08:41Z", "yesterday"),
      good.replace("40.725075", "140.7"),
      good.replace("40.725075", ""),
      good.replace(",1,1.8", ",many,1.8"),
      good.replace("13:26:26Z", "12:26:26Z"),
      "only,three,cells",
      good.replace("40.725075,-73.994865", "0,0"),
    ];
    const { trips, badRows, badRowsShown } = parseTrips([header, good, ...bad, later].join("\n"));
    expect(trips.length).toBe(2);
    expect(badRows).toBe(7);
    expect(badRowsShown).toEqual([
      { line: 3, reason: 'pickup_time "yesterday" is not a time' },
      { line: 4, reason: 'pickup_latitude "140.7" is not a latitude' },
      { line: 5, reason: 'pickup_latitude "" is not a latitude' },
      { line: 6, reason: 'passengers "many" is not a whole number from 0 to 8' },
      { line: 7, reason: "dropoff_time is before pickup_time" },
    ]);
  });

  test("refuses a file without a column it needs, and one without good rows", () => {
    expect(() => parseTrips("pickup_time,dropoff_time\n")).toThrow('its header has no column "pickup_latitude"');
    expect(() => parseTrips(`${header}\n${good.replace("40.725075", "x")}`)).toThrow("it has 0 good rows and 1 bad ones");
    expect(() => parseTrips("")).toThrow('its header has no column "pickup_time"');
  });
});
