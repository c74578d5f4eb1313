/**
 * Makes every generated file under a root: `gen.ts` writes them into the tree, `check.ts` into a temporary folder to
 * compare. Needs no network: buf and its plugin are packages.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { configurationReference } from "./configuration-reference.ts";
import { errorReference } from "./error-reference.ts";

const repository = dirname(import.meta.dir);

/** The contract as it was last promised: what `buf breaking` compares with, in every clone, whatever its history. */
export const contractBaseline = "proto/baseline.binpb";

/** What is generated, relative to the root. Nothing else lies in these. */
export const generatedPaths = ["packages/contracts/gen", "docs/reference/errors.md", "docs/reference/configuration.md", contractBaseline] as const;

export async function generateAll(root: string): Promise<void> {
  write(join(root, "docs/reference/errors.md"), errorReference());
  write(join(root, "docs/reference/configuration.md"), configurationReference());
  await buf("generate", "--clean", "--template", templateAsJson(), "--output", root);
  mkdirSync(join(root, dirname(contractBaseline)), { recursive: true });
  await buf("build", "--exclude-source-info", "--as-file-descriptor-set", "--output", join(root, contractBaseline));
}

/** Throws when the protos break what the baseline promised. */
export async function assertContractCompatible(): Promise<void> {
  await buf("breaking", "--against", contractBaseline);
}

async function buf(...args: readonly string[]): Promise<void> {
  const child = Bun.spawn([process.execPath, join(repository, "node_modules/.bin/buf"), ...args], {
    cwd: repository,
    env: { ...process.env, PATH: toolPath() },
    stdio: ["ignore", "inherit", "inherit"],
  });
  const code = await child.exited;
  if (code !== 0) throw new Error(`Cannot generate from proto/: "buf ${args[0] ?? ""}" ended with ${code}`);
}

/** buf resolves a template's `out` against --output, so that one template serves the tree and a temporary folder. */
function templateAsJson(): string {
  return JSON.stringify(Bun.YAML.parse(readFileSync(join(repository, "buf.gen.yaml"), "utf8")));
}

/** Tools of the packages first; the runtime's own folder for scripts that look for it by name. */
export function toolPath(): string {
  return [join(repository, "node_modules/.bin"), dirname(process.execPath), process.env["PATH"] ?? ""].join(delimiter);
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
