/**
 * Finds the field that keeps a JSON body from decoding, by decoding one field at a time. Runs only where the whole
 * body has failed, or where it may name an enum value that does not exist, which the decoder passes over.
 */
import { type DescField, type DescMessage, fromJson, type JsonObject, type JsonValue } from "@bufbuild/protobuf";

export type Undecodable = { readonly field: string; readonly problem: string };

export function undecodableField(schema: DescMessage, json: JsonValue): Undecodable | undefined {
  if (!isObject(json)) return { field: "body", problem: "expected a JSON object" };
  for (const [key, value] of Object.entries(json)) {
    const field = schema.fields.find((each) => each.jsonName === key || each.name === key);
    const found = field === undefined ? undefined : undecodableValue(schema, field, key, value);
    if (found !== undefined) return found;
  }
  return undefined;
}

function undecodableValue(schema: DescMessage, field: DescField, key: string, value: JsonValue): Undecodable | undefined {
  const nested = nestedFailure(field, value);
  if (nested !== undefined) return { field: `${field.name}${nested.field}`, problem: nested.problem };
  // Unknown keys below are allowed; those were looked at one level down.
  return hasOwnJson(field) ? failure(schema, key, value, field.name) : undefined;
}

/** Looks inside messages and lists of messages; paths begin with their separator. */
function nestedFailure(field: DescField, value: JsonValue): Undecodable | undefined {
  const message = field.fieldKind === "message" || (field.fieldKind === "list" && field.listKind === "message") ? field.message : undefined;
  if (message === undefined || isWellKnown(message)) return undefined;
  if (field.fieldKind === "message") return value === null ? undefined : below("", message, value);
  if (!Array.isArray(value)) return { field: "", problem: "expected a JSON array" };
  for (const [index, each] of value.entries()) {
    const found = below(`[${index}]`, message, each);
    if (found !== undefined) return found;
  }
  return undefined;
}

function below(prefix: string, message: DescMessage, value: JsonValue): Undecodable | undefined {
  if (!isObject(value)) return { field: prefix, problem: "expected a JSON object" };
  const found = undecodableField(message, value);
  return found === undefined ? undefined : { field: `${prefix}.${found.field}`, problem: found.problem };
}

/** Whether the field's value is decoded as one: scalars, enums, well-known types, and lists and maps of them. */
function hasOwnJson(field: DescField): boolean {
  return field.message === undefined || isWellKnown(field.message) || field.fieldKind === "map";
}

function failure(schema: DescMessage, key: string, value: JsonValue, name: string): Undecodable | undefined {
  try {
    fromJson(schema, { [key]: value }, { ignoreUnknownFields: false });
    return undefined;
  } catch (error) {
    return { field: name, problem: error instanceof Error ? error.message : String(error) };
  }
}

function isWellKnown(message: DescMessage): boolean {
  return message.typeName.startsWith("google.protobuf.");
}

function isObject(json: JsonValue): json is JsonObject {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

const enumHolders = new WeakMap<DescMessage, boolean>();

/** Whether a message of this schema can name an enum value. */
export function holdsEnums(schema: DescMessage): boolean {
  const known = enumHolders.get(schema);
  if (known !== undefined) return known;
  enumHolders.set(schema, false); // A schema that holds itself adds nothing by doing so.
  const holds = schema.fields.some(
    (field) => field.enum !== undefined || (field.message !== undefined && !isWellKnown(field.message) && holdsEnums(field.message)),
  );
  enumHolders.set(schema, holds);
  return holds;
}
