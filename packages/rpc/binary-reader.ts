/**
 * A message from its protobuf, field by field as they come (https://protobuf.dev/programming-guides/encoding).
 *
 * It never says that a body is wrong: whatever it does not know by sight, a field that the schema does not have, a
 * negative number, is undefined, and the library's to read or to refuse.
 */
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { type Fields, type PlainField, type PlainSchema, plainSchema } from "./plain-schema.ts";

/** Reads the message at `from` to `to`; undefined when it is not plain. */
type ReadBinary<Schema extends DescMessage> = (bytes: Uint8Array, from: number, to: number) => MessageShape<Schema> | undefined;

/** Undefined where no message of the schema is plain. */
export function binaryReader<Schema extends DescMessage>(schema: Schema): ReadBinary<Schema> | undefined {
  const plain = plainSchema(schema);
  if (plain === undefined) return undefined;
  return (bytes, from, to) => new Reading(bytes, from).message(plain, to) as MessageShape<Schema> | undefined;
}

const int32Max = 2 ** 31 - 1;
const { utf8Slice } = Buffer.prototype;

/** Cheaper than a view of the bytes. Little-endian, as the wire is, and as all that Bun runs on. */
const scratch = new Uint8Array(8);
const floats = new Float32Array(scratch.buffer, 0, 1);
const doubles = new Float64Array(scratch.buffer);

class Reading {
  readonly #bytes: Uint8Array;
  #at: number;

  constructor(bytes: Uint8Array, from: number) {
    this.#bytes = bytes;
    this.#at = from;
  }

  /** Undefined where it is not plain, which is also one whose last value reaches beyond its end. */
  message(schema: PlainSchema, end: number): Fields | undefined {
    const message = schema.empty();
    while (this.#at < end) {
      const field = schema.byTag[this.#tag()];
      if (field === undefined) return undefined;
      const value = this.#value(field);
      if (value === undefined) return undefined;
      const before = message[field.name];
      if (field.isList) (before as unknown[]).push(value);
      // A message that is there twice is one of both.
      else if (field.inner !== undefined && before !== undefined) return undefined;
      else message[field.name] = value;
    }
    return this.#at === end ? message : undefined;
  }

  #value({ kind, inner }: PlainField): unknown {
    switch (kind) {
      case "string":
        return this.#string();
      case "bool":
        return this.#bool();
      case "int32":
      case "enum":
        return this.#int32();
      case "int64":
        return this.#int64();
      case "float":
        return this.#float();
      case "double":
        return this.#double();
      case "time":
      case "message":
        return this.#inner(inner);
    }
  }

  #inner(schema: PlainSchema | undefined): Fields | undefined {
    const length = this.#varint();
    return length < 0 || schema === undefined ? undefined : this.message(schema, this.#at + length);
  }

  #string(): string | undefined {
    const length = this.#varint();
    const start = this.#at;
    this.#at += length;
    if (length < 0 || this.#at > this.#bytes.length) return undefined;
    const text = utf8Slice.call(this.#bytes, start, this.#at);
    // It may stand there, or for bytes that are no UTF-8.
    return text.includes("\ufffd") ? undefined : text;
  }

  #bool(): boolean | undefined {
    const number = this.#varint();
    return number === 0 || number === 1 ? number === 1 : undefined;
  }

  #int32(): number | undefined {
    const number = this.#varint();
    return number < 0 || number > int32Max ? undefined : number;
  }

  #int64(): bigint | undefined {
    const number = this.#varint();
    return number < 0 ? undefined : BigInt(number);
  }

  #float(): number {
    for (let index = 0; index < 4; index++) scratch[index] = this.#byte(this.#at++);
    return floats[0] ?? Number.NaN;
  }

  #double(): number {
    for (let index = 0; index < 8; index++) scratch[index] = this.#byte(this.#at++);
    return doubles[0] ?? Number.NaN;
  }

  /** All of ours have one byte or two. */
  #tag(): number {
    const first = this.#byte(this.#at++);
    if (first < 0x80) return first;
    const second = this.#byte(this.#at++);
    return second < 0x80 ? (first & 0x7f) | (second << 7) : -1;
  }

  /** Up to 49 bits, which a double holds; -1 where there are more. */
  #varint(): number {
    let byte = this.#byte(this.#at++);
    if (byte < 0x80) return byte;
    let number = byte & 0x7f;
    for (let weight = 0x80; weight < 2 ** 49; weight *= 0x80) {
      byte = this.#byte(this.#at++);
      number += (byte & 0x7f) * weight;
      if (byte < 0x80) return number;
    }
    return -1;
  }

  /** Beyond the end, one that no value ends on. */
  #byte(at: number): number {
    return this.#bytes[at] ?? 0xff;
  }
}
