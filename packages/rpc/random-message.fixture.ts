/** Messages of any schema with random fields, some of which break its rules, and what no rule speaks of: odd letters, odd numbers. */
import { create, type DescField, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import { reflect, type ReflectList } from "@bufbuild/protobuf/reflect";
import { CoordinatorService, DriverService, OpsService, RiderService } from "@ridegrid/contracts";
import type { Random } from "@ridegrid/domain";

const services = [RiderService, DriverService, OpsService, CoordinatorService];
const unaryMethods = services.flatMap(({ methods }) => methods.filter(({ methodKind }) => methodKind === "unary"));
export const plainCallRequests: ReadonlySet<DescMessage> = new Set(unaryMethods.map(({ input }) => input));
export const plainCallMessages: ReadonlySet<DescMessage> = new Set(unaryMethods.flatMap(({ input, output }) => [input, output]));

export function randomMessage(random: Random, schema: DescMessage, depth = 0): Message {
  const message = create(schema);
  const reflected = reflect(schema, message);
  for (const field of schema.fields) if (random.next() < 0.9) setField(random, reflected, field, depth);
  return message;
}

function setField(random: Random, message: ReturnType<typeof reflect>, field: DescField, depth: number): void {
  switch (field.fieldKind) {
    case "message":
      if (depth < 3) message.set(field, reflect(field.message, randomMessage(random, field.message, depth + 1)));
      return;
    case "enum":
      return message.set(field, pick(random, [0, 1, 2, 99]));
    case "list":
      if (depth < 3) fillList(random, message.get(field), field, depth);
      return;
    case "scalar":
      return message.set(field, randomScalar(random, field.scalar));
    default:
      // No request of the platform has a map.
      return;
  }
}

function fillList(random: Random, list: ReflectList, field: DescField & { readonly fieldKind: "list" }, depth: number): void {
  for (let left = pick(random, [0, 1, 2]); left > 0; left--)
    switch (field.listKind) {
      case "message":
        list.add(reflect(field.message, randomMessage(random, field.message, depth + 1)));
        break;
      case "enum":
        list.add(pick(random, [0, 1, 2, 99]));
        break;
      default:
        list.add(randomScalar(random, field.scalar));
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
  "10:20:30",
  'a "word" \\ and \n',
  "é",
  "\ufeffé",
  "\ufffd",
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
      return BigInt(Math.floor(pick(random, [...numbers, 2 ** 40, 2 ** 60])));
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

export function pick<T>(random: Random, options: readonly T[]): T {
  const option = options[Math.floor(random.next() * options.length)];
  if (option === undefined) throw new Error("Cannot pick from nothing");
  return option;
}
