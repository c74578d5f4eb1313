/** The configuration reference tells the truth: every variable in it is read somewhere, and every one read is in it. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { variables } from "@ridegrid/runtime";

const root = join(import.meta.dir, "../..");
// The list itself is no reader.
const sources = [...new Bun.Glob("{apps,packages}/**/*.ts").scanSync({ cwd: root })].filter(
  (path) => !/node_modules|\.test\.ts$|^packages\/runtime\/config\.ts$/.test(path),
);
const text = sources.map((path) => readFileSync(join(root, path), "utf8")).join("\n");
const named = new Set(
  [...text.matchAll(/"((?:RIDEGRID|KAFKA|UPSTASH|OTEL)_[A-Z_]+|DATABASE_URL|REDIS_URL|FLY_REGION|NODE_ENV)"/g)].map(([, name = ""]) => name),
);

test("every variable of the configuration reference is read somewhere", () => {
  expect(Object.keys(variables).filter((name) => !named.has(name))).toEqual([]);
});

test("every variable that the code names is in the configuration reference", () => {
  expect([...named].filter((name) => !Object.hasOwn(variables, name))).toEqual([]);
});
