/**
 * Schemas as the plain readers and writers walk them: messages of strings, numbers, enums, times, and messages and lists of
 * these, which nearly all of ours are.
 *
 * They are data for one loop a direction, where protobuf-es has a function a field: in a server a call finds its code out of
 * the processor's caches, and the less of it there is the sooner it is fetched (`docs/measurements.md`, "The edge").
 */
import { create, type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";

export type PlainSchema = {
  readonly typeName: string;
  /** By number, as the library writes them. */
  readonly fields: readonly PlainField[];
  readonly byJsonName: ReadonlyMap<string, PlainField>;
  /** With holes where a tag is no field's. */
  readonly byTag: readonly (PlainField | undefined)[];
  readonly empty: () => Fields;
};

export type PlainField = {
  readonly name: string;
  readonly jsonName: string;
  readonly isList: boolean;
  /** The number and the wire type, as they stand before a value. */
  readonly tag: number;
  readonly kind: PlainKind;
  /** What is not written. */
  readonly zero: unknown;
  /** Of a message or a time. */
  readonly inner: PlainSchema | undefined;
  /** Of an enum. */
  readonly numbers: ReadonlyMap<string, number>;
};

/** A time is a message whose JSON is a string. */
type PlainKind = "string" | "bool" | "int32" | "int64" | "float" | "double" | "enum" | "message" | "time";

/** Below what a float holds: beyond that the library has its word to say. */
export const plainFloatMax = 3.4e38;

/** A message by the names of its fields. */
export type Fields = Record<string, unknown>;

const known = new WeakMap<DescMessage, { readonly plain: PlainSchema | undefined }>();

/** Undefined where messages of the schema are the library's to read and to write. */
export function plainSchema(schema: DescMessage): PlainSchema | undefined {
  const made = known.get(schema);
  if (made !== undefined) return made.plain;
  // One that holds itself could be as deep as its sender likes.
  known.set(schema, { plain: undefined });
  const plain = makePlain(schema);
  known.set(schema, { plain });
  return plain;
}

function makePlain(schema: DescMessage): PlainSchema | undefined {
  const fields: PlainField[] = [];
  for (const field of schema.fields) {
    const plain = plainField(field);
    if (plain === undefined) return undefined;
    fields.push(plain);
  }
  fields.sort((one, other) => one.tag - other.tag);
  const byTag = Array.from({ length: (fields.at(-1)?.tag ?? 0) + 1 }, (_, tag) => fields.find((field) => field.tag === tag));
  return { typeName: schema.typeName, fields, byJsonName: new Map(fields.map((field) => [field.jsonName, field])), byTag, empty: emptyMaker(schema) };
}

function emptyMaker(schema: DescMessage): () => Fields {
  if (schema.fields.some(({ fieldKind }) => fieldKind === "list")) return () => create(schema);
  const empty = create(schema);
  return () => ({ ...empty });
}

/** `Edition.EDITION_PROTO3`, whose declaration is an enum. */
const proto3 = 999;

function plainField(field: DescField): PlainField | undefined {
  if (field.oneof !== undefined || field.proto.proto3Optional || field.parent.file.edition !== proto3) return undefined;
  const value = plainValue(field);
  const isList = field.fieldKind === "list";
  // Numbers of a list stand there packed.
  if (value === undefined || (isList && value.wireType !== lengthDelimited)) return undefined;
  const { kind, wireType, zero } = value;
  const inner = field.message === undefined ? undefined : plainSchema(field.message);
  if (field.message !== undefined && inner === undefined) return undefined;
  return {
    name: field.localName,
    jsonName: field.jsonName,
    isList,
    tag: (field.number << 3) | wireType,
    kind,
    zero,
    inner,
    numbers: new Map(field.enum?.values.map(({ number, jsonName }) => [jsonName, number])),
  };
}

type PlainValue = Pick<PlainField, "kind" | "zero"> & { readonly wireType: number };

const lengthDelimited = 2;
const scalars: ReadonlyMap<ScalarType, PlainValue> = new Map<ScalarType, PlainValue>([
  [ScalarType.STRING, { kind: "string", zero: "", wireType: lengthDelimited }],
  [ScalarType.BOOL, { kind: "bool", zero: false, wireType: 0 }],
  [ScalarType.INT32, { kind: "int32", zero: 0, wireType: 0 }],
  [ScalarType.INT64, { kind: "int64", zero: 0n, wireType: 0 }],
  [ScalarType.FLOAT, { kind: "float", zero: 0, wireType: 5 }],
  [ScalarType.DOUBLE, { kind: "double", zero: 0, wireType: 1 }],
]);

function plainValue({ scalar, enum: ofEnum, message }: DescField): PlainValue | undefined {
  if (scalar !== undefined) return scalars.get(scalar);
  if (message?.typeName === TimestampSchema.typeName) return { kind: "time", zero: undefined, wireType: lengthDelimited };
  // What the library knows by name has a JSON of its own.
  if ((message ?? ofEnum)?.typeName.startsWith("google.protobuf.") !== false) return undefined;
  return message === undefined ? { kind: "enum", zero: 0, wireType: 0 } : { kind: "message", zero: undefined, wireType: lengthDelimited };
}
