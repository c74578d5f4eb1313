/** Which messages the short ways of the plain call are for. */
import { expect, test } from "bun:test";
import { plainSchema } from "./plain-schema.ts";
import { plainCallMessages } from "./random-message.fixture.ts";

test("plainSchema() knows every message of a plain call but those with lists of numbers", () => {
  const unknown = [...plainCallMessages].filter((schema) => plainSchema(schema) === undefined);
  expect(unknown.map(({ typeName }) => typeName)).toEqual(["ridegrid.ops.v1.SearchRidesRequest"]);
});
