/** What a log may know of an error. */
import { expect, test } from "bun:test";
import { errorFields } from "./log-error.ts";
import { createLogger } from "./logger.ts";

/** As postgres.js makes them: everything that the server said, as the error's own fields. */
function rowError(): Error {
  return Object.assign(new Error('null value in column "seats" violates not-null constraint'), {
    code: "23502",
    table_name: "ride",
    detail: "Failing row contains (r-1, 40.754913, -73.984086, PLATE-1)",
    where: "SQL statement with PLATE-1",
    query: "INSERT INTO ride VALUES ($1)",
    parameters: ["PLATE-1"],
  });
}

test("errorFields() keeps a Postgres error's code and table, and none of its row, statement or parameters", () => {
  const shown = JSON.stringify(errorFields(new Error("Cannot store the ride", { cause: rowError() })));
  expect(shown).toContain("23502");
  expect(shown).toContain("Cannot store the ride");
  expect(shown).not.toMatch(/PLATE-1|40\.75|INSERT/);
});

test("errorFields() shows the errors of an aggregate, and ends a chain of causes that has no end", () => {
  const looped = new Error("a");
  looped.cause = new AggregateError([new Error("inner"), rowError()], "many", { cause: looped });
  const shown = JSON.stringify(errorFields(looped));
  expect(shown).toContain("inner");
  expect(shown).not.toContain("PLATE-1");
});

test("createLogger() censors fields that nobody means to log", () => {
  const lines: string[] = [];
  const logger = createLogger({ format: "json", level: "info", write: (line) => void lines.push(line) });
  logger.info({ token: "secret-1", request: { pin: "secret-2", pickup: { latitude: "secret-3" } }, err: rowError() }, "careless");
  logger.child({ app: "x" }).info({ vehicle: { plate: "secret-4" } }, "careless");
  expect(lines.join("")).not.toMatch(/secret-|PLATE-1/);
  expect(lines.join("")).toContain("[redacted]");
});
