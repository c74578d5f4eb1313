/** What the short way reads, the library reads alike: random messages of every plain call of the platform, and what is left of them when bytes are changed. */
import { expect, test } from "bun:test";
import { type DescMessage, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import { DriverService, RiderService } from "@ridegrid/contracts";
import type { Random } from "@ridegrid/domain";
import { createSeededRandom } from "@ridegrid/testing";
import { binaryReader } from "./binary-reader.ts";
import { pick, plainCallMessages, randomMessage } from "./random-message.fixture.ts";

const perSchema = 300;

test("binaryReader() reads what the library reads, and nothing that it refuses", () => {
  const random = createSeededRandom(5);
  const count = { read: 0, left: 0, refused: 0 };
  for (const schema of plainCallMessages) {
    const read = binaryReader(schema);
    for (const body of bodies(random, schema)) {
      const found = read?.(body, 0, body.length);
      const expected = byLibrary(schema, body);
      if (expected === undefined) count.refused++;
      if (found === undefined) count.left++;
      else if (Bun.deepEquals(found, expected, true)) count.read++;
      else throw new Error(`${schema.typeName} was read as ${Bun.inspect(found)}, and is ${Bun.inspect(expected)}: ${body.toHex()}`);
    }
  }
  expect(count.read).toBeGreaterThan(3_000);
  expect(count.left).toBeGreaterThan(3_000);
  expect(count.refused).toBeGreaterThan(1_000);
}, 60_000);

test.each([
  ["a bool that is two", DriverService.method.goOnline.input, "2002"],
  ["an int32 that is negative", RiderService.method.quoteFare.input, "18ffffffffffffffffff01"],
  ["an int32 of 33 bits", RiderService.method.quoteFare.input, "188180808010"],
  ["an int64 of 63 bits", RiderService.method.getRide.input, "10ffffffffffffffff7f"],
  ["a message in two parts", RiderService.method.quoteFare.input, "0a090900000000000004400a09110000000000000840"],
])("binaryReader() leaves %s to the library", (_, schema, hex) => {
  const body = Uint8Array.fromHex(hex);
  expect(byLibrary(schema, body)).toBeDefined();
  expect(Object.keys(byLibrary(schema, body) ?? {})).not.toContain("$unknown");
  expect(binaryReader(schema)?.(body, 0, body.length)).toBeUndefined();
});

function* bodies(random: Random, schema: DescMessage): Iterable<Uint8Array> {
  for (let index = 0; index < perSchema; index++) {
    const body = toBinary(schema, randomMessage(random, schema));
    yield pick(random, changes)(body, random);
  }
}

function byLibrary(schema: DescMessage, body: Uint8Array): Message | undefined {
  try {
    return fromBinary(schema, body);
  } catch {
    return undefined;
  }
}

const same = (body: Uint8Array): Uint8Array => body;

const changes: readonly ((body: Uint8Array, random: Random) => Uint8Array)[] = [
  same,
  same,
  same,
  // Twice the same: a message in it is one of both.
  (body) => Buffer.concat([body, body]),
  (body, random) => body.subarray(0, random.next() * body.length),
  // Field 2,000, a varint of 1.
  (body) => Buffer.concat([body, Buffer.from([0x80, 0x7d, 1])]),
  (body, random) => anywhere(body, random, ({ at }) => [...body.subarray(0, at), Math.floor(random.next() * 256), ...body.subarray(at + 1)]),
  // A number with an empty byte more.
  (body, random) => anywhere(body, random, ({ at, byte }) => [...body.subarray(0, at), byte | 0x80, 0, ...body.subarray(at + 1)]),
  (body, random) => anywhere(body, random, ({ at, byte }) => [...body.subarray(0, at), byte | 0x80, 0x80, 0x80, 0x80, 0x80, 0, ...body.subarray(at + 1)]),
  (body, random) => anywhere(body, random, ({ at }) => [...body.subarray(0, at), ...body.subarray(at + 1)]),
];

function anywhere(body: Uint8Array, random: Random, change: (place: { readonly at: number; readonly byte: number }) => readonly number[]): Uint8Array {
  const at = Math.floor(random.next() * body.length);
  const byte = body[at];
  return byte === undefined ? body : Uint8Array.from(change({ at, byte }));
}
