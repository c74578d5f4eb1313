/** Reads the JUnit report of `bun test`: counts for each file, the names of what was skipped, and why what failed did. */

export type Failure = { readonly name: string; readonly message: string };
export type Suite = {
  readonly file: string;
  readonly passed: number;
  readonly failed: readonly Failure[];
  readonly skipped: readonly string[];
  readonly seconds: number;
};

export function parseTestReport(xml: string): readonly Suite[] {
  const suites = new Map<string, { passed: number; failed: Failure[]; skipped: string[]; seconds: number }>();
  for (const [, attributes = "", body = ""] of xml.matchAll(/<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)) {
    const file = attribute(attributes, "file") ?? "unknown";
    const suite = suites.get(file) ?? { passed: 0, failed: [], skipped: [], seconds: 0 };
    suites.set(file, suite);
    suite.seconds += Number(attribute(attributes, "time") ?? 0);
    const name = attribute(attributes, "name") ?? "unnamed";
    const [, failure] = /<(?:failure|error)\b([^>]*)>/.exec(body) ?? [];
    if (/<skipped\b/.test(body)) suite.skipped.push(name);
    else if (failure !== undefined) suite.failed.push({ name, message: attribute(failure, "message") ?? "no message" });
    else suite.passed += 1;
  }
  return [...suites].map(([file, suite]) => ({ file, ...suite })).toSorted((left, right) => left.file.localeCompare(right.file));
}

export function totalsOf(suites: readonly Suite[]): { readonly passed: number; readonly failed: number; readonly skipped: number } {
  const sum = (of: (suite: Suite) => number): number => suites.reduce((total, suite) => total + of(suite), 0);
  return { passed: sum((suite) => suite.passed), failed: sum((suite) => suite.failed.length), skipped: sum((suite) => suite.skipped.length) };
}

function attribute(attributes: string, name: string): string | undefined {
  const value = new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1];
  return value?.replaceAll(/&(#\d+|\w+);/g, (whole, entity: string) =>
    entity.startsWith("#") ? String.fromCodePoint(Number(entity.slice(1))) : (entities[entity] ?? whole),
  );
}

const entities: Readonly<Record<string, string>> = { quot: '"', apos: "'", lt: "<", gt: ">", amp: "&" };
