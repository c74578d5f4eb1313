/**
 * A message from its protobuf, field by field as they come (https://protobuf.dev/programming-guides/encoding).
 *
 * It never says that a body is wrong: whatever it does not know by sight, a field that the schema does not have, a letter
 * beyond ASCII or a negative number, is undefined, and the library's to read or to refuse.
 */
import type { DescMessage, Message } from "@bufbuild/protobuf";
import { type Fields, type PlainField, type PlainSchema, plainSchema } from "./plain-schema.ts";

/** Undefined where no message of the schema is plain. */
export function binaryReader(schema: DescMessage): ((body: Uint8Array) => Message | undefined) | undefined {
  const plain = plainSchema(schema);
  if (plain === undefined) return undefined;
  return (body) => new Reading(body).message(plain, body.length) as Message | undefined;
}

const int32Max = 2 ** 31 - 1;
const { latin1Slice } = Buffer.prototype;

class Reading {
  readonly #body: Uint8Array;
  #at = 0;

  constructor(body: Uint8Array) {
    this.#body = body;
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
        return this.#view(4)?.getFloat32(0, true);
      case "double":
        return this.#view(8)?.getFloat64(0, true);
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
    const end = start + length;
    if (length < 0) return undefined;
    for (let at = start; at < end; at++) if (this.#byte(at) > 0x7f) return undefined;
    this.#at = end;
    return latin1Slice.call(this.#body, start, end);
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

  #view(bytes: number): DataView | undefined {
    const start = this.#at;
    this.#at += bytes;
    if (this.#at > this.#body.length) return undefined;
    return new DataView(this.#body.buffer, this.#body.byteOffset + start, bytes);
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
    return this.#body[at] ?? 0xff;
  }
}
