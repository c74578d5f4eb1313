/** Holds the whole tree to the rules of `architecture-rules.ts`, and each rule to a file that breaks it. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import {
  domainIsPure,
  filesAreKebabCase,
  filesOpenWithAComment,
  functionsAreShort,
  importsAllowedRoomsOnly,
  nothingIsExportedByStar,
  onlyRootsReadTheEnvironment,
  relativeImportsStayInTheirRoom,
  roomsHaveARealName,
  type Rule,
  timeAndDiceArePassedIn,
} from "./architecture-rules.ts";
import { type SourceFile, sourceFile } from "./source-file.ts";

const root = join(import.meta.dir, "../..");
const paths = [...new Bun.Glob("{apps,packages,scripts}/**/*.ts").scanSync({ cwd: root })].filter((path) => !/node_modules|\/gen\//.test(path)).toSorted();
const files = paths.map((path) => sourceFile(path, readFileSync(join(root, path), "utf8")));

const opening = "/** What this is. */\n";

type Held = { readonly name: string; readonly rule: Rule; readonly broken: readonly SourceFile[] };

/** Each with files that break it: a rule that lets its own example pass holds nothing. */
const rules: readonly Held[] = [
  {
    name: "a room imports only the rooms it may",
    rule: importsAllowedRoomsOnly,
    broken: [
      sourceFile("packages/eventlog/x.ts", 'import type { Ride } from "@ridegrid/contracts";'),
      sourceFile("apps/gateway/x.ts", 'const x = await import("@ridegrid/state-query/app");'),
      sourceFile("apps/simulator/x.ts", 'export { x } from "@ridegrid/runtime";'),
      sourceFile("apps/mesh/x.ts", 'import { x } from "@ridegrid/gateway";'),
    ],
  },
  {
    name: "relative imports stay in their room",
    rule: relativeImportsStayInTheirRoom,
    broken: [sourceFile("apps/gateway/x.ts", 'import "../mesh/compose.ts";')],
  },
  {
    name: "the domain is pure",
    rule: domainIsPure,
    broken: [
      sourceFile("packages/domain/x.ts", "export const x = () => console.log(1);"),
      sourceFile("packages/domain/x.ts", 'import type { Stats } from "node:fs";'),
      sourceFile("packages/domain/x.ts", "export const x = Math.random();"),
    ],
  },
  {
    name: "time and dice are passed in",
    rule: timeAndDiceArePassedIn,
    broken: [sourceFile("apps/gateway/x.ts", "export const x = () => new Date().getTime();"), sourceFile("packages/rpc/x.ts", "export const x = Date.now;")],
  },
  {
    name: "only composition roots read the environment",
    rule: onlyRootsReadTheEnvironment,
    broken: [sourceFile("apps/gateway/x.ts", 'export const x = process.env["X"];')],
  },
  { name: "functions have 70 lines at most", rule: functionsAreShort, broken: [sourceFile("apps/gateway/x.ts", `function x() {${"\n".repeat(70)}}`)] },
  { name: "a file opens by saying what it is", rule: filesOpenWithAComment, broken: [sourceFile("apps/gateway/x.ts", "// A line\nexport const x = 1;")] },
  { name: "files are kebab-case", rule: filesAreKebabCase, broken: [sourceFile("apps/gateway/eventLog.ts", opening)] },
  { name: "nothing is exported by *", rule: nothingIsExportedByStar, broken: [sourceFile("apps/gateway/x.ts", 'export * from "./y.ts";')] },
  { name: "rooms have a real name", rule: roomsHaveARealName, broken: [sourceFile("apps/gateway/utils/x.ts", opening)] },
];

for (const { name, rule, broken } of rules) {
  test(`architecture: ${name}`, () => {
    expect(files.flatMap(rule)).toEqual([]);
    for (const file of broken) expect(rule(file)).not.toEqual([]);
  });
}

test("architecture: packages depend on each other in one direction, devDependencies included", () => {
  const manifests = [...new Bun.Glob("{apps,packages}/*/package.json").scanSync({ cwd: root })].map((path) => readManifest(path));
  expect(cyclesOf(manifests)).toEqual([]);
  expect(
    cyclesOf([
      { name: "a", needs: ["b"] },
      { name: "b", needs: ["c"] },
      { name: "c", needs: ["a"] },
    ]),
  ).not.toEqual([]);
});

test("architecture: every file is imported, named by another, or a way in", () => {
  const imported = new Set(
    files.flatMap((file) => file.imports.filter((name) => name.startsWith(".")).map((name) => posix.join(posix.dirname(file.path), name))),
  );
  const manifestPaths = ["package.json", "bunfig.toml", ...new Bun.Glob("{apps,packages}/*/package.json").scanSync({ cwd: root })];
  const manifests = manifestPaths.map((path) => readFileSync(join(root, path), "utf8"));
  const named = (file: SourceFile): boolean => {
    const base = posix.basename(file.path);
    return files.some((other) => other !== file && other.text.includes(`${base}"`)) || manifests.some((text) => text.includes(`/${base}`));
  };
  const lonely = files.filter((file) => !/\.(test|soak|bench)\.ts$|\/(index|main)\.ts$/.test(file.path) && !imported.has(file.path) && !named(file));
  expect(lonely.map((file) => file.path)).toEqual([]);
  expect(imported.size).toBeGreaterThan(50);
});

type Manifest = { readonly name: string; readonly needs: readonly string[] };

function readManifest(path: string): Manifest {
  const manifest: { name: string; dependencies?: Record<string, string>; devDependencies?: Record<string, string> } = JSON.parse(
    readFileSync(join(root, path), "utf8"),
  );
  const needs = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies });
  return { name: manifest.name, needs: needs.filter((name) => name.startsWith("@ridegrid/")) };
}

/** Takes away what needs nothing any more until nothing can be taken; what is left lies on a cycle or above one. */
function cyclesOf(manifests: readonly Manifest[]): readonly string[] {
  let left = manifests;
  for (;;) {
    const names = new Set(left.map(({ name }) => name));
    const rest = left.filter(({ needs }) => needs.some((need) => names.has(need)));
    if (rest.length === left.length) return rest.map(({ name }) => name);
    left = rest;
  }
}
