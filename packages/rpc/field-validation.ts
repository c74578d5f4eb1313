/**
 * Checks every message a server receives against the rules of its schema, and its strings for NUL, which PostgreSQL
 * cannot store. A breach is FIELD_INVALID with the field's path.
 */
import { type DescField, type DescMessage, type Message } from "@bufbuild/protobuf";
import { pathToString, reflect, type ReflectMessage } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import type { CallLayer } from "./call-layer.ts";
import { isPlainlyValid } from "./plainly-valid.ts";
import { apiError } from "./refusal-error.ts";

export const fieldValidation: CallLayer = {
  unary({ method, message }) {
    checkMessage(method.input, message);
    return undefined;
  },
  stream: (next) => (request) => next({ ...request, message: checkedStream(request.method.input, request.message) }),
};

const validator = createValidator();

/** @throws FIELD_INVALID naming the first field that breaks a rule. */
export function checkMessage(schema: DescMessage, message: Message): void {
  const nul = holdsStrings(schema) && holdsNul(message) ? nulPath(reflect(schema, message)) : undefined;
  if (nul !== undefined) throw apiError("FIELD_INVALID", `Field "${nul}" holds a NUL character`, { field: nul });
  if (isPlainlyValid(schema, message)) return;
  const result = validator.validate(schema, message);
  if (result.kind === "valid") return;
  if (result.kind === "error") throw result.error;
  const first = result.violations[0];
  const field = first === undefined ? "body" : pathToString(first.field);
  throw apiError("FIELD_INVALID", `Field "${field}" is invalid: ${first?.message ?? result.error.message}`, { field });
}

async function* checkedStream<T extends Message>(schema: DescMessage, messages: AsyncIterable<T>): AsyncIterable<T> {
  for await (const message of messages) {
    checkMessage(schema, message);
    yield message;
  }
}

/** Whether there is a NUL to look for: a glance, without the schema. */
function holdsNul(value: unknown): boolean {
  if (typeof value === "string") return value.includes("\0");
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return false;
  // A column of numbers is not walked, however long.
  if (Array.isArray(value)) return typeof value[0] !== "number" && value.some(holdsNul);
  for (const key in value) if (key.includes("\0") || holdsNul(Reflect.get(value, key))) return true;
  return false;
}

/** The path of the first string with a NUL in it. */
function nulPath(message: ReflectMessage): string | undefined {
  for (const field of message.sortedFields) {
    if (!holdStrings(field) || !message.isSet(field)) continue;
    const found = firstNul(field.name, valuesOf(message, field));
    if (found !== undefined) return found;
  }
  return undefined;
}

type Field = ReflectMessage["fields"][number];
type Place = { readonly suffix: string; readonly value: unknown };

function valuesOf(message: ReflectMessage, field: Field): readonly Place[] {
  switch (field.fieldKind) {
    case "list":
      if (field.listKind === "scalar") return placesOfNul(message.get(field));
      return [...message.get(field)].map((value, index) => ({ suffix: `[${index}]`, value }));
    case "map":
      return [...message.get(field)].flatMap(([key, value]) => [
        { suffix: `[${JSON.stringify(key)}]`, value: key },
        { suffix: `[${JSON.stringify(key)}]`, value },
      ]);
    default:
      return [{ suffix: "", value: message.get(field) }];
  }
}

/** A column may have thousands of strings: a place is made only of one that is bad. */
function placesOfNul(values: Iterable<unknown>): readonly Place[] {
  let index = 0;
  for (const value of values) {
    if (typeof value === "string" && value.includes("\0")) return [{ suffix: `[${index}]`, value }];
    index++;
  }
  return [];
}

function firstNul(name: string, places: readonly Place[]): string | undefined {
  for (const { suffix, value } of places) {
    if (typeof value === "string" && value.includes("\0")) return name + suffix;
    if (!isReflected(value) || !holdsStrings(value.desc)) continue;
    const inner = nulPath(value);
    if (inner !== undefined) return `${name}${suffix}.${inner}`;
  }
  return undefined;
}

function isReflected(value: unknown): value is ReflectMessage {
  return typeof value === "object" && value !== null && "desc" in value && "sortedFields" in value;
}

const stringHolders = new WeakMap<DescMessage, boolean>();

/** Most positions and pages hold none: those are not walked at all. */
function holdsStrings(schema: DescMessage): boolean {
  const known = stringHolders.get(schema);
  if (known !== undefined) return known;
  stringHolders.set(schema, true); // A schema that holds itself counts as holding strings.
  const holds = schema.fields.some(holdStrings);
  stringHolders.set(schema, holds);
  return holds;
}

/** A column of numbers is not walked, however long. */
function holdStrings(field: DescField): boolean {
  if (field.fieldKind === "map") return true;
  if (field.message !== undefined) return holdsStrings(field.message);
  return field.scalar === stringScalar;
}

/** `ScalarType.STRING`, whose declaration is an enum. */
const stringScalar = 9;
