/**
 * A message from its JSON, field by field as they come: for messages of strings, numbers, enums, times, and messages and
 * lists of these, which all of ours are.
 *
 * It never says that a body is wrong: whatever it does not know by sight, another spelling of a number or a name that
 * the schema does not have, is undefined, and the library's to read or to refuse.
 */
import { create, type DescEnum, type DescField, type DescMessage, fromJson, type JsonValue, type Message, ScalarType } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";

/** `seen` counts the colons that the text of what was read must have. Undefined where the value is not plain. */
type Read = (json: unknown, seen: Seen) => unknown;
type Seen = { colons: number };
type Member = { readonly name: string; readonly read: Read };

/** Undefined where no message of the schema is plain. */
export function jsonReader(schema: DescMessage): ((body: string) => Message | undefined) | undefined {
  const read = messageReader(schema, []);
  if (read === undefined) return undefined;
  return (body) => {
    // With escapes, a colon of a string need not be one of the text.
    if (body.includes("\\")) return undefined;
    const seen: Seen = { colons: 0 };
    try {
      const message = read(JSON.parse(body), seen);
      // A colon more than what was read is a name that was there twice: JSON.parse keeps the last of them, and the library refuses it.
      return seen.colons === colonsIn(body) ? (message as Message | undefined) : undefined;
    } catch {
      return undefined;
    }
  };
}

function messageReader(schema: DescMessage, outer: readonly DescMessage[]): Read | undefined {
  // One that holds itself could be as deep as its sender likes.
  if (outer.includes(schema)) return undefined;
  const members = new Map<string, Member>();
  for (const field of schema.fields) {
    const read = fieldReader(field, [...outer, schema]);
    if (read === undefined) return undefined;
    members.set(field.jsonName, { name: field.localName, read });
  }
  const hasLists = schema.fields.some((field) => field.fieldKind === "list");
  const empty = create(schema);
  return (json, seen) => {
    if (typeof json !== "object" || json === null || Array.isArray(json)) return undefined;
    const message: Record<string, unknown> = hasLists ? create(schema) : { ...empty };
    for (const [key, value] of Object.entries(json)) {
      const member = members.get(key);
      const read = member?.read(value, seen);
      if (member === undefined || read === undefined) return undefined;
      message[member.name] = read;
      seen.colons++;
    }
    return message;
  };
}

function fieldReader(field: DescField, outer: readonly DescMessage[]): Read | undefined {
  if (field.oneof !== undefined || field.proto.proto3Optional || field.parent.file.edition !== proto3) return undefined;
  switch (field.fieldKind) {
    case "scalar":
      return scalarReader(field.scalar);
    case "enum":
      return enumReader(field.enum);
    case "message":
      return innerReader(field.message, outer);
    case "list":
      return listReader(itemReader(field, outer));
    default:
      return undefined;
  }
}

/** `Edition.EDITION_PROTO3`, whose declaration is an enum. */
const proto3 = 999;

function itemReader(field: DescField & { readonly fieldKind: "list" }, outer: readonly DescMessage[]): Read | undefined {
  switch (field.listKind) {
    case "scalar":
      return scalarReader(field.scalar);
    case "enum":
      return enumReader(field.enum);
    default:
      return innerReader(field.message, outer);
  }
}

function listReader(readItem: Read | undefined): Read | undefined {
  if (readItem === undefined) return undefined;
  return (json, seen) => {
    if (!Array.isArray(json)) return undefined;
    const items: unknown[] = [];
    for (const each of json) {
      const item = readItem(each, seen);
      if (item === undefined) return undefined;
      items.push(item);
    }
    return items;
  };
}

function innerReader(schema: DescMessage, outer: readonly DescMessage[]): Read | undefined {
  if (schema.typeName === TimestampSchema.typeName) return readTime;
  return schema.typeName.startsWith("google.protobuf.") ? undefined : messageReader(schema, outer);
}

function enumReader({ typeName, values }: DescEnum): Read | undefined {
  if (typeName.startsWith("google.protobuf.")) return undefined;
  const numbers = new Map(values.map(({ number, jsonName }) => [jsonName, number]));
  return (json) => (typeof json === "string" ? numbers.get(json) : undefined);
}

const bigints = /^(?:0|-?[1-9]\d{0,17})$/;

function scalarReader(scalar: ScalarType): Read | undefined {
  switch (scalar) {
    case ScalarType.STRING:
      return readString;
    case ScalarType.BOOL:
      return (json) => (typeof json === "boolean" ? json : undefined);
    case ScalarType.INT64:
      return (json) => (typeof json === "string" && bigints.test(json) ? BigInt(json) : undefined);
    case ScalarType.INT32:
      return (json) => (typeof json === "number" && (json | 0) === json ? json : undefined);
    case ScalarType.DOUBLE:
      return (json) => (Number.isFinite(json) ? json : undefined);
    case ScalarType.FLOAT:
      return (json) => (typeof json === "number" && Math.abs(json) < floatMax ? json : undefined);
    default:
      return undefined;
  }
}

const floatMax = 3.4e38;

function readString(json: unknown, seen: Seen): string | undefined {
  if (typeof json !== "string") return undefined;
  seen.colons += colonsIn(json);
  return json;
}

function readTime(json: unknown, seen: Seen): unknown {
  const text = readString(json, seen);
  return text === undefined ? undefined : fromJson(TimestampSchema, text satisfies JsonValue);
}

function colonsIn(text: string): number {
  let colons = 0;
  for (let at = text.indexOf(":"); at >= 0; at = text.indexOf(":", at + 1)) colons++;
  return colons;
}
