/**
 * A message from its JSON, field by field as they come.
 *
 * It never says that a body is wrong: whatever it does not know by sight, another spelling of a number or a name that
 * the schema does not have, is undefined, and the library's to read or to refuse.
 */
import { type DescMessage, fromJson, type Message } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { type Fields, type PlainField, plainFloatMax, type PlainSchema, plainSchema } from "./plain-schema.ts";

/** Counts the colons that the text of what was read must have. */
type Seen = { colons: number };

/** Undefined where no message of the schema is plain. */
export function jsonReader(schema: DescMessage): ((body: string) => Message | undefined) | undefined {
  const plain = plainSchema(schema);
  if (plain === undefined) return undefined;
  return (body) => {
    // With escapes, a colon of a string need not be one of the text.
    if (body.includes("\\")) return undefined;
    const seen: Seen = { colons: 0 };
    try {
      const message = readMessage(plain, JSON.parse(body), seen);
      // A colon more than what was read is a name that was there twice: JSON.parse keeps the last of them, and the library refuses it.
      return seen.colons === colonsIn(body) ? (message as Message | undefined) : undefined;
    } catch {
      return undefined;
    }
  };
}

function readMessage({ byJsonName, empty }: PlainSchema, json: unknown, seen: Seen): Fields | undefined {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return undefined;
  const message = empty();
  for (const [key, value] of Object.entries(json)) {
    const field = byJsonName.get(key);
    if (field === undefined) return undefined;
    const read = field.isList ? readList(field, value, seen) : readValue(field, value, seen);
    if (read === undefined) return undefined;
    message[field.name] = read;
    seen.colons++;
  }
  return message;
}

function readList(field: PlainField, json: unknown, seen: Seen): unknown[] | undefined {
  if (!Array.isArray(json)) return undefined;
  const items: unknown[] = [];
  for (const each of json) {
    const item = readValue(field, each, seen);
    if (item === undefined) return undefined;
    items.push(item);
  }
  return items;
}

const bigints = /^(?:0|-?[1-9]\d{0,17})$/;

/** Undefined where the value is not plain. */
function readValue({ kind, inner, numbers }: PlainField, json: unknown, seen: Seen): unknown {
  switch (kind) {
    case "string":
      return readString(json, seen);
    case "bool":
      return typeof json === "boolean" ? json : undefined;
    case "int32":
      return typeof json === "number" && (json | 0) === json ? json : undefined;
    case "int64":
      return typeof json === "string" && bigints.test(json) ? BigInt(json) : undefined;
    case "float":
      return typeof json === "number" && Math.abs(json) < plainFloatMax ? json : undefined;
    case "double":
      return Number.isFinite(json) ? json : undefined;
    case "enum":
      return typeof json === "string" ? numbers.get(json) : undefined;
    case "time":
      return readTime(json, seen);
    case "message":
      return inner === undefined ? undefined : readMessage(inner, json, seen);
  }
}

function readString(json: unknown, seen: Seen): string | undefined {
  if (typeof json !== "string") return undefined;
  seen.colons += colonsIn(json);
  return json;
}

function readTime(json: unknown, seen: Seen): unknown {
  const text = readString(json, seen);
  return text === undefined ? undefined : fromJson(TimestampSchema, text);
}

function colonsIn(text: string): number {
  let colons = 0;
  for (let at = text.indexOf(":"); at >= 0; at = text.indexOf(":", at + 1)) colons++;
  return colons;
}
