/** Local metres against the haversine. */
import { expect, test } from "bun:test";
import { haversineMeters } from "@ridegrid/domain";
import fc from "fast-check";
import { createProjection } from "./projection.ts";

test("createProjection() goes there and back, and its distances stay within 1 % of the haversine in a city", () => {
  const center = { latitude: 40.7549, longitude: -73.984 };
  const near = fc.record({ latitude: fc.double({ min: 40.45, max: 41.05, noNaN: true }), longitude: fc.double({ min: -74.35, max: -73.55, noNaN: true }) });
  const projection = createProjection(center);
  fc.assert(
    fc.property(near, near, (from, to) => {
      const back = projection.toLatLng(projection.toLocal(from));
      expect(haversineMeters(from, back)).toBeLessThan(0.01);
      const [a, b] = [projection.toLocal(from), projection.toLocal(to)];
      const flat = Math.hypot(a.x - b.x, a.y - b.y);
      expect(Math.abs(flat - haversineMeters(from, to))).toBeLessThanOrEqual(0.01 * flat + 0.01);
    }),
    { seed: 11 },
  );
});
