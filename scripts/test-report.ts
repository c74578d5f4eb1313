/** Reads the JUnit report of `bun test`: counts for each file, and the names of what was skipped. */

export type Suite = { readonly file: string; readonly passed: number; readonly failed: number; readonly skipped: readonly string[]; readonly seconds: number };

export function parseTestReport(xml: string): readonly Suite[] {
  const suites = new Map<string, { passed: number; failed: number; skipped: string[]; seconds: number }>();
  for (const [, attributes = "", body = ""] of xml.matchAll(/<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)) {
    const file = attribute(attributes, "file") ?? "unknown";
    const suite = suites.get(file) ?? { passed: 0, failed: 0, skipped: [], seconds: 0 };
    suites.set(file, suite);
    suite.seconds += Number(attribute(attributes, "time") ?? 0);
    if (/<skipped\b/.test(body)) suite.skipped.push(attribute(attributes, "name") ?? "unnamed");
    else if (/<(failure|error)\b/.test(body)) suite.failed += 1;
    else suite.passed += 1;
  }
  return [...suites].map(([file, suite]) => ({ file, ...suite })).toSorted((left, right) => left.file.localeCompare(right.file));
}

export function totalsOf(suites: readonly Suite[]): { readonly passed: number; readonly failed: number; readonly skipped: number } {
  const sum = (of: (suite: Suite) => number): number => suites.reduce((total, suite) => total + of(suite), 0);
  return { passed: sum((suite) => suite.passed), failed: sum((suite) => suite.failed), skipped: sum((suite) => suite.skipped.length) };
}

function attribute(attributes: string, name: string): string | undefined {
  const value = new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1];
  return value?.replaceAll("&quot;", '"').replaceAll("&apos;", "'").replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}
