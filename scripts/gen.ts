/**
 * Generates what is generated: TypeScript from the protos, the reference pages of errors and configuration, and the
 * contract's baseline. Refuses a contract that breaks the last one, unless told `--break-contract`.
 */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { assertContractCompatible, contractBaseline, generateAll, generatedPaths } from "./generate.ts";

const root = dirname(import.meta.dir);
try {
  if (existsSync(join(root, contractBaseline)) && !process.argv.includes("--break-contract")) await assertContractCompatible();
  await generateAll(root);
  process.stdout.write(`Generated ${generatedPaths.join(", ")}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
