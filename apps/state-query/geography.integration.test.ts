/**
 * Searches by place, one suite on both forms: the portable one on the run's own Postgres, which has no PostGIS, and the
 * other on Debian's, which also shows that release 15 takes the migrations. A database that gets or loses PostGIS follows.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createTestDatabase, postgisServerMissing, startPostgisServer, type TestServer } from "@ridegrid/testing";
import { migrateState } from "./app.ts";
import { chooseGeography } from "./choose-geography.ts";
import { createPostgresDriverPlaces } from "./driver-places.postgres.ts";
import { geographyConformance } from "./geography.conformance.ts";
import { addDrivers, nowMs } from "./geography.fixture.ts";

geographyConformance("portable", () => createTestDatabase({ platform: true }));

const missing = postgisServerMissing();

describe.skipIf(missing !== null)(missing === null ? "on a server with PostGIS" : `on a server with PostGIS (${missing})`, () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startPostgisServer();
  }, 60_000);
  const database = () => createTestDatabase({ platform: true, serverUrl: server.url });

  geographyConformance("postgis", database);
  // Hooks run in the order in which they are named: the suite's own database goes first.
  afterAll(() => server?.stop());

  test("chooseGeography() follows PostGIS that comes and goes, with the same answers before and after", async () => {
    const own = await database();
    try {
      const [sql, owner] = [own.sql({ role: "state", schema: "state" }), own.sql()];
      await owner`DROP EXTENSION postgis`;
      expect((await migrateState(sql)).at(-1)).toBe("geography/portable.sql");
      expect(await chooseGeography(sql)).toEqual({ form: "portable", changed: false });
      const places = createPostgresDriverPlaces({ sql, region: "ewr" });
      const near = { latitude: 40.75, longitude: -73.98 };
      await addDrivers(sql, { places, region: "ewr" }, [{ ...near, driverId: "d-1", status: "available", observedAtMs: nowMs }]);
      const nearest = () => places.nearest({ near: { latitude: 40.751, longitude: -73.98 }, radiusMeters: 1_000, seenAfterMs: nowMs, limit: 5 });
      const before = await nearest();
      expect(before).toHaveLength(1);

      await owner`CREATE SCHEMA "the Earth"`;
      await owner`GRANT USAGE ON SCHEMA "the Earth" TO state`;
      await owner`CREATE EXTENSION postgis SCHEMA "the Earth"`;
      expect(await chooseGeography(sql)).toEqual({ form: "postgis", changed: true });
      expect(await nearest()).toEqual(before);

      await owner`DROP EXTENSION postgis CASCADE`;
      expect(await chooseGeography(sql)).toEqual({ form: "portable", changed: true });
      expect(await nearest()).toEqual(before);
    } finally {
      await own.drop();
    }
  });
});
