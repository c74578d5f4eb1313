/**
 * Makes every generated file under a root: `gen.ts` writes them into the tree, `check.ts` into a temporary folder to
 * compare. Needs no network: buf and its plugin are packages.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { configurationReference } from "./configuration-reference.ts";
import { errorReference } from "./error-reference.ts";

const repository = dirname(import.meta.dir);

/** What is generated, relative to the root. Nothing else lies in these. */
export const generatedPaths = ["packages/contracts/gen", "docs/reference/errors.md", "docs/reference/configuration.md"] as const;

export async function generateAll(root: string): Promise<void> {
  await generateProtos(root);
  write(join(root, "docs/reference/errors.md"), errorReference());
  write(join(root, "docs/reference/configuration.md"), configurationReference());
}

async function generateProtos(root: string): Promise<void> {
  const template = readFileSync(join(repository, "buf.gen.yaml"), "utf8");
  // buf resolves `out` against --output, so that one template serves the tree and the temporary folder.
  const buf = Bun.spawn([join(repository, "node_modules/.bin/buf"), "generate", "--clean", "--template", toJsonTemplate(template), "--output", root], {
    cwd: repository,
    env: { ...process.env, PATH: toolPath() },
    stdio: ["ignore", "inherit", "inherit"],
  });
  const code = await buf.exited;
  if (code !== 0) throw new Error(`Cannot generate from proto/: "buf generate" ended with ${code}`);
}

/** buf takes a template as a file's name or as JSON; JSON needs no second file. */
function toJsonTemplate(yaml: string): string {
  return JSON.stringify(Bun.YAML.parse(yaml));
}

/** The plugin is a script for node or bun; where only bun is there, it runs it. */
export function toolPath(): string {
  return [join(repository, "node_modules/.bin"), dirname(process.execPath), process.env["PATH"] ?? ""].join(delimiter);
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
