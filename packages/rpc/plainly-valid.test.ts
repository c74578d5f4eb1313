/** Whatever the short cut lets through, protovalidate lets through: random messages of every request of the platform. */
import { expect, test } from "bun:test";
import { createValidator } from "@bufbuild/protovalidate";
import { CoordinatorService, DriverService, OpsService, RiderService } from "@ridegrid/contracts";
import { createSeededRandom } from "@ridegrid/testing";
import { isPlainlyValid } from "./plainly-valid.ts";
import { randomMessage } from "./random-message.fixture.ts";

const requests = [RiderService, DriverService, OpsService, CoordinatorService].flatMap(({ methods }) => methods.map(({ input }) => input));
const perSchema = 400;

test("isPlainlyValid() lets nothing through that breaks a rule", () => {
  const random = createSeededRandom(11);
  const validator = createValidator();
  const seen = { plainly: 0, invalid: 0, schemas: new Set<string>() };
  for (const schema of requests) {
    for (let index = 0; index < perSchema; index++) {
      const message = randomMessage(random, schema);
      const { kind } = validator.validate(schema, message);
      const plainly = isPlainlyValid(schema, message);
      if (plainly && kind !== "valid") throw new Error(`${schema.typeName} is ${kind}, and was let through: ${JSON.stringify(message, shown)}`);
      if (plainly) seen.schemas.add(schema.typeName);
      if (plainly) seen.plainly++;
      if (kind === "invalid") seen.invalid++;
    }
  }
  expect(seen.plainly).toBeGreaterThan(1_000);
  for (const name of ["GetRideRequest", "QuoteFareRequest", "RequestRideRequest"]) expect(seen.schemas).toContain(`ridegrid.rider.v1.${name}`);
  expect(seen.invalid).toBeGreaterThan(1_000);
}, 60_000);

const shown = (_: string, value: unknown): unknown => (typeof value === "bigint" ? `${value}n` : value);
