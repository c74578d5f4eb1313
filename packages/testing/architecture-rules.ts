/**
 * The rules of `docs/architecture.md` and the house style that no compiler holds: who may import whom, what the domain
 * may touch, where time and dice may come from, how long a function may be. Each answers what breaks it, in words.
 */
import { posix } from "node:path";
import { isNode, lineOf, type Node, type SourceFile, walk } from "./source-file.ts";

export type Rule = (file: SourceFile) => readonly string[];

const functionLinesMax = 70;
/** Six is the aim; a port's promises may need more. */
const openingCommentLinesMax = 16;

/** What each package may import of ours; apps may import every package but `testing`. */
const layers: Readonly<Record<string, readonly string[]>> = {
  "packages/domain": [],
  "packages/contracts": ["domain"],
  "packages/eventlog": ["domain"],
  "packages/spatial": ["domain"],
  "packages/runtime": ["domain"],
  "packages/testing": ["domain", "runtime"],
  "packages/rpc": ["domain", "contracts"],
  // Whatever the simulator does, a customer can do.
  "apps/simulator": ["contracts", "rpc"],
};
const packagesForApps = ["domain", "contracts", "eventlog", "spatial", "runtime", "rpc"];

export const importsAllowedRoomsOnly: Rule = (file) =>
  file.imports.flatMap((name) => {
    const [, target, subpath] = /^@ridegrid\/([^/]+)(?:\/(.*))?$/.exec(name) ?? [];
    return target === undefined || mayImport(file, target, subpath) ? [] : [`${file.path} imports "${name}"`];
  });

function mayImport({ room, isTest }: SourceFile, target: string, subpath: string | undefined): boolean {
  if (room === `packages/${target}`) return true;
  if (isTest && ["testing", "runtime"].includes(target)) return true;
  const allowed = layers[room] ?? (room.startsWith("apps/") ? packagesForApps : []);
  if (allowed.includes(target)) return true;
  // The composition root wires every app through its front door; the simulator is a process of its own.
  return room === "apps/mesh" && (subpath === "app" || (target === "simulator" && subpath === "main"));
}

export const relativeImportsStayInTheirRoom: Rule = (file) =>
  file.imports.flatMap((name) => {
    if (!name.startsWith(".") || file.room === "scripts") return [];
    const target = posix.join(posix.dirname(file.path), name);
    // Tests use the regions that development runs on.
    return target.startsWith(`${file.room}/`) || (file.isTest && target === "deploy/regions.json")
      ? []
      : [`${file.path} climbs out of ${file.room} with "${name}"`];
  });

const domainForbids: ReadonlySet<string> = new Set(
  "Bun process console globalThis performance crypto fetch require setTimeout setInterval setImmediate queueMicrotask structuredClone".split(" "),
);

export const domainIsPure: Rule = (file) => {
  if (file.room !== "packages/domain" || file.isTest) return [];
  const platform = file.imports.filter((name) => /^(node|bun):|^bun$/.test(name)).map((name) => `${file.path} imports "${name}"`);
  const globals = freeIdentifiers(file).filter(({ name }) => domainForbids.has(name));
  return [...platform, ...globals.map(({ name, line }) => `${file.path}:${line} touches ${name}`), ...ambientTimeAndDice(file)];
};

/** Composition roots and adapters make clocks and dice; everything else is handed them. */
const mayTouchTime = /^(packages\/(runtime|testing)|apps\/(mesh|ops-console)|scripts)\/|\/main\.ts$/;

export const timeAndDiceArePassedIn: Rule = (file) => (mayTouchTime.test(file.path) || file.isTest ? [] : ambientTimeAndDice(file));

export const onlyRootsReadTheEnvironment: Rule = (file) =>
  mayTouchTime.test(file.path) || file.isTest ? [] : members(file, "process", "env").map((line) => `${file.path}:${line} reads process.env`);

/** A function's own lines: functions inside it are measured by themselves, so that a factory may hold several short ones. */
export const functionsAreShort: Rule = (file) => {
  const functions = functionsOf(file);
  return functions.flatMap(({ node, parent }) => {
    if (isSuite(file, parent)) return [];
    const nested = functions.filter(({ node: inner }) => inner !== node && node.start <= inner.start && inner.end <= node.end);
    const outermost = nested.filter(({ node: one }) => !nested.some(({ node: other }) => other !== one && other.start <= one.start && one.end <= other.end));
    // The line on which an inner function begins is its holder's too.
    const lines = linesOf(file, node) - outermost.reduce((sum, { node: inner }) => sum + linesOf(file, inner) - 1, 0);
    return lines > functionLinesMax ? [`${file.path}:${lineOf(file, node.start)} is a function of ${lines} lines`] : [];
  });
};

function functionsOf(file: SourceFile) {
  return [...walk(file.program)].filter(({ node }) => /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type));
}

function linesOf(file: SourceFile, node: { readonly start: number; readonly end: number }): number {
  return lineOf(file, node.end) - lineOf(file, node.start) + 1;
}

export const filesOpenWithAComment: Rule = (file) => {
  const opening = /^(?:#!.*\n)?\/\*\*[\s\S]*?\*\//.exec(file.text)?.[0];
  if (opening === undefined) return [`${file.path} does not open with a /** comment`];
  return opening.split("\n").length > openingCommentLinesMax ? [`${file.path} opens with ${opening.split("\n").length} lines of comment`] : [];
};

export const filesAreKebabCase: Rule = ({ path }) => (/^[a-z0-9-]+(\.[a-z0-9-]+)*\.ts$/.test(posix.basename(path)) ? [] : [`${path} is not kebab-case`]);

export const nothingIsExportedByStar: Rule = (file) =>
  [...walk(file.program)].flatMap(({ node }) => (node.type === "ExportAllDeclaration" ? [`${file.path}:${lineOf(file, node.start)} exports *`] : []));

const forbiddenRooms = /\/(common|shared|utils|types|errors|constants|interfaces|models|services|helpers|__tests__|__mocks__)\//;

export const roomsHaveARealName: Rule = ({ path }) => (forbiddenRooms.test(path) ? [`${path} lies in a room that should not exist`] : []);

function ambientTimeAndDice(file: SourceFile): readonly string[] {
  const calls = [...members(file, "Date", "now"), ...members(file, "Math", "random"), ...newDates(file)];
  return calls.map((line) => `${file.path}:${line} takes ambient time or dice`);
}

function newDates(file: SourceFile): readonly number[] {
  return [...walk(file.program)].flatMap(({ node }) => {
    const callee = node["callee"];
    const isNow =
      node.type === "NewExpression" && isNode(callee) && callee["name"] === "Date" && Array.isArray(node["arguments"]) && node["arguments"].length === 0;
    return isNow ? [lineOf(file, node.start)] : [];
  });
}

function members(file: SourceFile, object: string, property: string): readonly number[] {
  return [...walk(file.program)].flatMap(({ node }) => {
    if (node.type !== "MemberExpression") return [];
    const [left, right] = [node["object"], node["property"]];
    return isNode(left) && isNode(right) && left["name"] === object && right["name"] === property ? [lineOf(file, node.start)] : [];
  });
}

/** Identifiers that are not a property's name: `x.process` and `{ process: 1 }` touch nothing. */
function freeIdentifiers(file: SourceFile): readonly { readonly name: string; readonly line: number }[] {
  return [...walk(file.program)].flatMap(({ node, parent, key }) => {
    if (node.type !== "Identifier" || typeof node["name"] !== "string") return [];
    const isName = (key === "property" || key === "key") && parent?.["computed"] !== true;
    return isName ? [] : [{ name: node["name"], line: lineOf(file, node.start) }];
  });
}

/** A suite is a list of tests, not a function that grew. */
function isSuite({ path }: SourceFile, parent: Node | undefined): boolean {
  if (path.endsWith(".conformance.ts")) return true;
  const callee = parent?.type === "CallExpression" ? parent["callee"] : undefined;
  return isNode(callee) && callee["name"] === "describe";
}
