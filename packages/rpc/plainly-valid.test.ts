/** Whatever the short cut lets through, protovalidate lets through: random messages of every request of the platform. */
import { expect, test } from "bun:test";
import { create, type DescField, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import { CoordinatorService, DriverService, OpsService, RiderService } from "@ridegrid/contracts";
import type { Random } from "@ridegrid/domain";
import { createSeededRandom } from "@ridegrid/testing";
import { isPlainlyValid } from "./plainly-valid.ts";

const requests = [RiderService, DriverService, OpsService, CoordinatorService].flatMap(({ methods }) => methods.map(({ input }) => input));
const perSchema = 400;

test("isPlainlyValid() lets nothing through that breaks a rule", () => {
  const random = createSeededRandom(11);
  const validator = createValidator();
  const seen = { plainly: 0, invalid: 0, schemas: new Set<string>() };
  for (const schema of requests) {
    for (let index = 0; index < perSchema; index++) {
      const message = randomMessage(random, schema, 0);
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

function randomMessage(random: Random, schema: DescMessage, depth: number): Message {
  const message = create(schema);
  const reflected = reflect(schema, message);
  for (const field of schema.fields)
    if (field.fieldKind !== "list" && field.fieldKind !== "map" && random.next() < 0.9) setField(random, reflected, field, depth);
  return message;
}

function setField(random: Random, message: ReturnType<typeof reflect>, field: DescField, depth: number): void {
  switch (field.fieldKind) {
    case "message":
      if (depth < 3) message.set(field, reflect(field.message, randomMessage(random, field.message, depth + 1)));
      return;
    case "enum":
      return message.set(field, pick(random, [0, 1, 2, 99]));
    default:
      return field.fieldKind === "scalar" ? message.set(field, randomScalar(random, field.scalar)) : undefined;
  }
}

const uuid = "0199c0de-0000-7000-8000-000000000001";
const strings = [
  uuid,
  uuid,
  uuid.toUpperCase(),
  `${uuid}\n`,
  uuid.replaceAll("-", ""),
  "",
  "a",
  "é",
  "🚕",
  "🚕🚕",
  "x".repeat(64),
  "x".repeat(257),
  "🚕".repeat(40),
];
const numbers = [0, 1, 8, 9, -1, 90, 91, -180, -180.5, 1_000, 2 ** 31 - 1];

function randomScalar(random: Random, scalar: ScalarType): unknown {
  switch (scalar) {
    case ScalarType.STRING:
      return pick(random, strings);
    case ScalarType.BOOL:
      return random.next() < 0.5;
    case ScalarType.BYTES:
      return new Uint8Array(Math.floor(random.next() * 4));
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return pick(random, [...numbers, Number.NaN, Number.POSITIVE_INFINITY]);
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return BigInt(Math.floor(pick(random, numbers)));
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return BigInt(Math.abs(Math.floor(pick(random, numbers))));
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return Math.abs(Math.floor(pick(random, numbers)));
    default:
      return Math.floor(pick(random, numbers));
  }
}

function pick<T>(random: Random, options: readonly T[]): T {
  const option = options[Math.floor(random.next() * options.length)];
  if (option === undefined) throw new Error("Cannot pick from nothing");
  return option;
}
