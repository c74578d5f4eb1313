/**
 * Loaded before every test file; what it sets counts instead of `--timeout`. The first test or hook of a run may wait for
 * a Postgres server to be made, and a soak is given more.
 */
import { setDefaultTimeout } from "bun:test";

setDefaultTimeout(Number(process.env["TEST_TIMEOUT_MS"] ?? 30_000));
