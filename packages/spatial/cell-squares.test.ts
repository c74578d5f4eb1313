/** A remembered cell is the very one that H3 answers, inside cells, across their borders, and at the edges of the map. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { latLngToCell } from "h3-js";
import { rememberSquares } from "./cell-squares.ts";

const resolution = 5;
const itself = (cell: string): string => cell;

test("rememberSquares() answers what H3 answers, at every point of a city and around it", () => {
  const asked: string[] = [];
  const cellAt = rememberSquares((latitude, longitude) => {
    const cell = latLngToCell(latitude, longitude, resolution);
    asked.push(cell);
    return cell;
  }, itself);
  const points = fc.record({ latitude: fc.double({ min: 40.4, max: 41.1, noNaN: true }), longitude: fc.double({ min: -74.4, max: -73.5, noNaN: true }) });
  const seen: { readonly latitude: number; readonly longitude: number }[] = [];
  fc.assert(
    fc.property(points, (point) => {
      seen.push(point);
      expect(cellAt(point)).toBe(latLngToCell(point.latitude, point.longitude, resolution));
    }),
    { seed: 7, numRuns: 5_000 },
  );
  // And again, from memory: few squares lie in more than one cell.
  asked.length = 0;
  for (const point of seen) expect(cellAt(point)).toBe(latLngToCell(point.latitude, point.longitude, resolution));
  expect(asked.length).toBeLessThan(seen.length / 5);
});

test("rememberSquares() takes the poles and the date line", () => {
  const cellAt = rememberSquares((latitude, longitude) => latLngToCell(latitude, longitude, resolution), itself);
  for (const latitude of [-90, -89.9999, 0, 89.9999, 90])
    for (const longitude of [-180, -179.9999, 0, 179.9999, 180]) expect(cellAt({ latitude, longitude })).toBe(latLngToCell(latitude, longitude, resolution));
});
