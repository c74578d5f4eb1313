/** What the short cut reads, the library reads alike: random messages of every request of the platform, spelled in many ways. */
import { expect, test } from "bun:test";
import { type DescMessage, fromJsonString, type Message, toJsonString } from "@bufbuild/protobuf";
import { OpsService, RiderService } from "@ridegrid/contracts";
import type { Random } from "@ridegrid/domain";
import { createSeededRandom } from "@ridegrid/testing";
import { jsonReader } from "./json-reader.ts";
import { pick, plainCallRequests, randomMessage } from "./random-message.fixture.ts";

const perSchema = 300;

test("jsonReader() reads what the library reads, and nothing that it refuses", () => {
  const random = createSeededRandom(5);
  const count = { read: 0, left: 0, refused: 0 };
  for (const schema of plainCallRequests) {
    const read = jsonReader(schema);
    for (const text of texts(random, schema)) {
      const found = read?.(text);
      const expected = byLibrary(schema, text);
      if (expected === undefined) count.refused++;
      if (found === undefined) count.left++;
      else if (Bun.deepEquals(found, expected, true)) count.read++;
      else throw new Error(`${schema.typeName} was read as ${shown(found)}, and is ${shown(expected)}: ${text}`);
    }
  }
  expect(count.read).toBeGreaterThan(3_000);
  expect(count.left).toBeGreaterThan(3_000);
  expect(count.refused).toBeGreaterThan(1_000);
}, 60_000);

test("jsonReader() leaves a name that is there twice to the library, at any depth and in any disguise", () => {
  const { quoteFare, getRide } = RiderService.method;
  expect(jsonReader(quoteFare.input)?.('{"pickup":{"latitude":1},"seats":2}')).toBeDefined();
  for (const [schema, twice] of [
    [quoteFare.input, '{"seats":1,"seats":2}'],
    [quoteFare.input, '{"pickup":{"latitude":1,"latitude":2}}'],
    [quoteFare.input, '{"pickup":{"latitude":1},"pickup":{}}'],
    [quoteFare.input, String.raw`{"seats":1,"s\u0065ats":2}`],
    [getRide.input, String.raw`{"rideId":"\u003a","minVersion":"1","minVersion":"2"}`],
  ] as const)
    expect({ twice, read: jsonReader(schema)?.(twice) }).toEqual({ twice, read: undefined });
});

test("jsonReader() gives each message lists of its own", () => {
  const read = jsonReader(OpsService.method.replayDeadLetters.input);
  const [one, other] = [read?.("{}"), read?.("{}")];
  if (one === undefined || other === undefined) throw new Error("An empty message was not read");
  expect(Reflect.get(one, "deadLetterIds")).toEqual([]);
  expect(Reflect.get(one, "deadLetterIds")).not.toBe(Reflect.get(other, "deadLetterIds"));
});

/** Nothing of a message that cannot be written. */
function* texts(random: Random, schema: DescMessage): Iterable<string> {
  for (let index = 0; index < perSchema; index++) {
    const text = written(schema, randomMessage(random, schema));
    if (text !== undefined) yield pick(random, spellings)(text, random);
  }
}

function written(schema: DescMessage, message: Message): string | undefined {
  try {
    return toJsonString(schema, message);
  } catch {
    return undefined;
  }
}

function byLibrary(schema: DescMessage, text: string): Message | undefined {
  try {
    return fromJsonString(schema, text, { ignoreUnknownFields: true });
  } catch {
    return undefined;
  }
}

const same = (text: string): string => text;

const spellings: readonly ((text: string, random: Random) => string)[] = [
  same,
  same,
  same,
  (text) => JSON.stringify(JSON.parse(text), null, 2),
  (text) => `[${text}]`,
  (text, random) => text.slice(0, Math.floor(random.next() * text.length)),
  (text) => text.replace("{", '{"unknown":{"a":[1,"b:"]},'),
  anywhere(/"\w+":[^{[,}]+/g, (member) => `${member},${member}`),
  anywhere(/"\w+":[^{[,}]+/g, (member) => `${member},${member.replace(/:.*/, ":null")}`),
  anywhere(/"\w+":/g, (key) => key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)),
  anywhere(/"\w+":/g, (key) => key.replace(/[a-z]/, (letter) => String.raw`\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`)),
  anywhere(/:/g, () => " :\n"),
  anywhere(/:"[^"]*"/g, () => ":null"),
  anywhere(/:"[^"]*"/g, () => ":5"),
  anywhere(/:"[^"]*"/g, () => ':"10:20"'),
  anywhere(/:"-?\d+"/g, (text) => text.replaceAll('"', "")),
  anywhere(/:-?[\d.]+/g, (text) => `:"${text.slice(1)}"`),
  anywhere(/:-?[\d.]+/g, () => ":-0"),
  anywhere(/:-?[\d.]+/g, () => ":0.1"),
  anywhere(/:-?[\d.]+/g, () => ":1e0"),
  anywhere(/:-?[\d.]+/g, () => ":1e39"),
  anywhere(/:-?[\d.]+/g, () => ":1e400"),
  anywhere(/:-?[\d.]+/g, () => ":4294967296"),
  anywhere(/:(true|false)/g, () => ":1"),
];

/** One of the places that match, replaced; the text as it is where there is none. */
function anywhere(place: RegExp, replace: (found: string) => string): (text: string, random: Random) => string {
  return (text, random) => {
    const places = [...text.matchAll(place)];
    if (places.length === 0) return text;
    const { index, 0: found } = pick(random, places);
    return text.slice(0, index) + replace(found) + text.slice(index + found.length);
  };
}

function shown(message: unknown): string {
  return JSON.stringify(message, (_, value: unknown) => (typeof value === "bigint" ? `${value}n` : value));
}
