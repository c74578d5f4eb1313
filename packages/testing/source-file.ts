/**
 * One source file as the architecture test sees it: its place in the tree, its syntax tree, what it imports.
 *
 * Type imports count like any other: a type from a forbidden room is a dependency on that room.
 */
import { type Comment, parseSync } from "oxc-parser";

export type Node = { readonly type: string; readonly start: number; readonly end: number; readonly [key: string]: unknown };

export type SourceFile = {
  /** From the repository's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** "packages/domain"; "scripts" for what lies outside a package. */
  readonly room: string;
  /** A test, or a suite, fixture or program that only tests use. */
  readonly isTest: boolean;
  readonly imports: readonly string[];
  readonly comments: readonly Comment[];
  readonly program: Node;
};

export function sourceFile(path: string, text: string): SourceFile {
  const { program, module, comments, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`Cannot parse "${path}": ${errors[0]?.message ?? "unknown error"}`);
  const reexported = module.staticExports.flatMap(({ entries }) => entries.map((entry) => entry.moduleRequest?.value));
  // Of an import() only a plain string can be followed.
  const dynamic = module.dynamicImports.map(({ moduleRequest }) => /^["'](.*)["']$/.exec(text.slice(moduleRequest.start, moduleRequest.end))?.[1]);
  const named = [...module.staticImports.map(({ moduleRequest }) => moduleRequest.value), ...reexported, ...dynamic];
  return {
    path,
    text,
    room: /^(?:apps|packages)\/[^/]+/.exec(path)?.[0] ?? path.split("/")[0] ?? "",
    isTest: /\.(test|soak|bench|conformance|fixtures?|kill-load)\.ts$|\/(test-programs\/|bench\.ts$)/.test(path),
    imports: [...new Set(named.filter((name) => name !== undefined))],
    comments,
    program: program as unknown as Node,
  };
}

/** Every node, parents before children, each with its parent and the key it hangs on. */
export function* walk(
  node: Node,
  parent?: Node,
  key?: string,
): Generator<{ readonly node: Node; readonly parent: Node | undefined; readonly key: string | undefined }> {
  yield { node, parent, key };
  for (const [name, value] of Object.entries(node)) {
    for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) yield* walk(child, node, name);
  }
}

export function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string" && "start" in value;
}

export function lineOf({ text }: SourceFile, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}
