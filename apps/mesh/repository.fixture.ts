/** Where the repository begins, for tests of the files at its top. */
import { join } from "node:path";

export const repositoryRoot: string = join(import.meta.dir, "../..");
