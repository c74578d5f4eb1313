/** What the short way writes, the library writes alike: random messages of every plain call of the platform, and what handlers must not answer. */
import { expect, test } from "bun:test";
import { create, type DescMessage, type Message, toBinary } from "@bufbuild/protobuf";
import { RiderService } from "@ridegrid/contracts";
import type { Random } from "@ridegrid/domain";
import { createSeededRandom } from "@ridegrid/testing";
import { binaryWriter } from "./binary-writer.ts";
import { plainAnswerBytesMax } from "./limits.ts";
import { pick, plainCallMessages, randomMessage } from "./random-message.fixture.ts";

const { getRide, quoteFare } = RiderService.method;
const perSchema = 300;

test("binaryWriter() writes what the library writes, and nothing that it refuses", () => {
  const random = createSeededRandom(5);
  const count = { written: 0, left: 0, refused: 0 };
  for (const schema of new Set([...plainCallMessages].flatMap((schema) => [schema, ...schema.fields.flatMap(({ message }) => message ?? [])]))) {
    const write = binaryWriter(schema);
    for (let index = 0; index < perSchema; index++) {
      const message = pick(random, [randomMessage, randomMessage, spoilt])(random, schema);
      const found = write?.(message);
      const expected = byLibrary(schema, message);
      if (expected === undefined) count.refused++;
      if (found === undefined) count.left++;
      else if (expected !== undefined && Buffer.compare(found, expected) === 0) count.written++;
      else throw new Error(`${schema.typeName} was written as ${found.toHex()}, and is ${expected?.toHex()}: ${Bun.inspect(message)}`);
    }
  }
  expect(count.written).toBeGreaterThan(3_000);
  expect(count.left).toBeGreaterThan(3_000);
  expect(count.refused).toBeGreaterThan(100);
}, 60_000);

test.each<[string, DescMessage, (text: string) => Message]>([
  ["a text", getRide.input, (rideId) => create(getRide.input, { rideId })],
  ["a number behind it", getRide.input, (rideId) => create(getRide.input, { rideId, minVersion: 2n ** 50n })],
  ["one in the other", getRide.output, (riderId) => create(getRide.output, { ride: { riderId } })],
  ["numbers behind it", quoteFare.output, (quoteId) => create(quoteFare.output, { quote: { quoteId, surgeMultiplier: 1.5 } })],
])("binaryWriter() writes messages of any length that fits: %s", (_, schema, make) => {
  const write = binaryWriter(schema);
  for (const around of [0x7f, 0x3fff, plainAnswerBytesMax])
    for (let length = around - 80; length < around + 20; length++) {
      const message = make("x".repeat(length));
      const bytes = write?.(message);
      if (bytes !== undefined || around < plainAnswerBytesMax) expect({ length, bytes }).toEqual({ length, bytes: toBinary(schema, message) });
      else expect(length).toBeGreaterThan(around - 70);
    }
  expect(write?.(make("x".repeat(plainAnswerBytesMax)))).toBeUndefined();
});

test("binaryWriter() gives each message bytes of its own", () => {
  const write = binaryWriter(getRide.input);
  const one = create(getRide.input, { rideId: "one" });
  const bytes = write?.(one);
  write?.(create(getRide.input, { rideId: "two" }));
  expect(bytes).toEqual(toBinary(getRide.input, one));
});

/** With a value that is none of its field's. */
function spoilt(random: Random, schema: DescMessage): Message {
  const message = randomMessage(random, schema);
  const field = schema.fields[Math.floor(random.next() * schema.fields.length)];
  return { ...message, [field?.localName ?? "$unknown"]: oddValues[Math.floor(random.next() * oddValues.length)] };
}

const oddValues = [undefined, -0, 1.5, 2 ** 40, -1, Number.NaN, 1e39, 1n, -1n, 2n ** 60n, 2n ** 70n, "1", "", true, false, { $typeName: "ridegrid.Other" }];

function byLibrary(schema: DescMessage, message: Message): Uint8Array | undefined {
  try {
    return toBinary(schema, message);
  } catch {
    return undefined;
  }
}
