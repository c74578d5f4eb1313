/**
 * A message as protobuf, when it is small and plain; else it is the library's to write, or to refuse
 * (https://protobuf.dev/programming-guides/encoding).
 */
import type { DescMessage, Message } from "@bufbuild/protobuf";
import { plainAnswerBytesMax } from "./limits.ts";
import { type Fields, type PlainField, plainFloatMax, type PlainSchema, plainSchema } from "./plain-schema.ts";

/** Undefined where no message of the schema is plain. */
export function binaryWriter(schema: DescMessage): ((message: Message) => Uint8Array<ArrayBuffer> | undefined) | undefined {
  const plain = plainSchema(schema);
  return plain === undefined ? undefined : (message) => writing.bytes(plain, message);
}

/** A tag and a number, with room to spare. */
const numberBytesMax = 32;

class Writing {
  readonly #bytes = new Uint8Array(plainAnswerBytesMax);
  readonly #view = new DataView(this.#bytes.buffer);
  #at = 0;

  bytes(schema: PlainSchema, message: Fields): Uint8Array<ArrayBuffer> | undefined {
    this.#at = 0;
    return this.#message(schema, message) ? this.#bytes.slice(0, this.#at) : undefined;
  }

  /** False where it is not plain, or has no room. */
  #message(schema: PlainSchema, message: Fields): boolean {
    if (message["$typeName"] !== schema.typeName || message["$unknown"] !== undefined) return false;
    for (const field of schema.fields) {
      const value = message[field.name];
      if (field.isList) {
        if (!Array.isArray(value)) return false;
        for (const item of value) if (!this.#value(field, item)) return false;
      } else if (!Object.is(value, field.zero) && !this.#value(field, value)) return false;
    }
    return true;
  }

  #value({ tag, kind, inner }: PlainField, value: unknown): boolean {
    if (this.#at + numberBytesMax > this.#bytes.length) return false;
    this.#varint(tag);
    switch (kind) {
      case "string":
        return typeof value === "string" && this.#string(value);
      case "bool":
        return value === true && this.#varint(1);
      case "int32":
      case "enum":
        return typeof value === "number" && (value | 0) === value && value > 0 && this.#varint(value);
      case "int64":
        return typeof value === "bigint" && value > 0n && this.#varint(Number(value));
      case "float":
        return typeof value === "number" && Math.abs(value) < plainFloatMax && this.#float(value);
      case "double":
        return typeof value === "number" && this.#double(value);
      case "time":
      case "message":
        return inner !== undefined && typeof value === "object" && value !== null && this.#inner(inner, value as Fields);
    }
  }

  #string(text: string): boolean {
    const bytes = this.#bytes;
    this.#varint(text.length);
    let at = this.#at;
    if (at + text.length > bytes.length) return false;
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (code > 0x7f) return false;
      bytes[at++] = code;
    }
    this.#at = at;
    return true;
  }

  /** Most are shorter than a length of one byte can say; the others are moved to make room for more of it. */
  #inner(schema: PlainSchema, message: Fields): boolean {
    const start = ++this.#at;
    if (!this.#message(schema, message)) return false;
    const length = this.#at - start;
    if (length > 0x7f) this.#bytes.copyWithin(start + (length > 0x3fff ? 2 : 1), start, this.#at);
    this.#at = start - 1;
    this.#varint(length);
    this.#at += length;
    return this.#at <= this.#bytes.length;
  }

  #varint(value: number): boolean {
    if (value > Number.MAX_SAFE_INTEGER) return false;
    let left = value;
    while (left > 0x7f) {
      this.#bytes[this.#at++] = (left % 0x80) | 0x80;
      left = Math.floor(left / 0x80);
    }
    this.#bytes[this.#at++] = left;
    return true;
  }

  #float(value: number): boolean {
    this.#view.setFloat32(this.#at, value, true);
    this.#at += 4;
    return true;
  }

  #double(value: number): boolean {
    this.#view.setFloat64(this.#at, value, true);
    this.#at += 8;
    return true;
  }
}

/** One for all, which end before another begins. */
const writing = new Writing();
