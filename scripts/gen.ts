/**
 * Generates what is generated: TypeScript from the protos (without a network), and the reference pages of errors and
 * configuration. `bun run check` fails when the tree differs from what this makes.
 */
import { generateAll } from "./generate.ts";

await generateAll(process.cwd());
process.stdout.write("Generated packages/contracts/gen and docs/reference\n");
