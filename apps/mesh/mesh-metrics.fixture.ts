/** What a mesh in one process measures of itself, read from `/metrics`. */
import type { MeshFolder } from "./mesh.fixture.ts";

/** Sums every sample of the name whose labels hold all these. */
export async function measured(folder: MeshFolder, name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
  return sumOf(await metricsText(folder), name, labels);
}

async function metricsText(folder: MeshFolder): Promise<string> {
  const [url] = new Set(Object.values(folder.file().metrics));
  if (url === undefined) throw new Error("mesh.json names no metrics address");
  return await (await fetch(url, { signal: AbortSignal.timeout(5_000) })).text();
}

function sumOf(text: string, name: string, labels: Readonly<Record<string, string>>): number {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}`);
  const samples = text.split("\n").filter((line) => line.startsWith(`${name}{`) && wanted.every((part) => line.includes(part)));
  return samples.reduce((sum, line) => sum + Number(/\} (\S+)/.exec(line)?.[1] ?? 0), 0);
}
