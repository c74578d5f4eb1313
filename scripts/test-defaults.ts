/** Loaded before every test file: the first test or hook of a run may wait for a Postgres server to be made. */
import { setDefaultTimeout } from "bun:test";

setDefaultTimeout(30_000);
