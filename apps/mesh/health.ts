/**
 * Asks this container's process how it is, for a health check: `bun apps/mesh/health.ts livez|readyz`. Exit code 0 or 1.
 *
 * A program of its own, because it runs every few seconds: it loads nothing of ours.
 */
import process from "node:process";

const path = process.argv[2] ?? "readyz";
const host = process.env["RIDEGRID_HOST"];
// Who listens on every interface is asked on the loopback.
const address = host === undefined || host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
try {
  const response = await fetch(`http://${address}:${process.env["RIDEGRID_METRICS_PORT"]}/${path}`, { signal: AbortSignal.timeout(2_000) });
  if (!response.ok) process.stderr.write(`${await response.text()}\n`);
  process.exitCode = response.ok ? 0 : 1;
} catch (error) {
  process.stderr.write(`Cannot ask for /${path}: ${String(error)}\n`);
  process.exitCode = 1;
}
