/**
 * RideGrid's one executable: `dev`, `sim`, `start`, and what a deployment runs beside it: `migrate`, `redis-bridge`.
 *
 * Reads arguments and environment and turns what a person can repair into one line and exit code 1.
 */
import { ConfigError, readVariable } from "@ridegrid/runtime";
import { parseDev, parseNothing, parseSim, parseStart } from "./command-line.ts";
import { Complaint } from "./complaint.ts";
import { dev, type Output } from "./dev.ts";
import { migrateAll } from "./migrate-all.ts";
import { redisBridge } from "./redis-bridge.ts";
import { sim } from "./sim.ts";
import { start } from "./start.ts";

const output: Output = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
};

async function run([command, ...args]: readonly string[]): Promise<number> {
  switch (command) {
    case "dev":
      return await dev(parseDev(args), process.env, output);
    case "sim":
      return await sim(parseSim(args), args, process.env, output);
    case "start":
      return await start(parseStart(args, readVariable(process.env, "FLY_REGION")), process.env);
    case "migrate":
      parseNothing("migrate", args);
      return await migrateAll(process.env);
    case "redis-bridge":
      parseNothing("redis-bridge", args);
      return await redisBridge(process.env);
    default:
      throw new Complaint(`Cannot run "${command ?? ""}": there are dev, sim, start, migrate and redis-bridge`);
  }
}

/** One line for what a person can repair, a stack for what only we can. */
function explain(error: unknown): string {
  if (error instanceof Complaint || error instanceof ConfigError) return error.message;
  if (!(error instanceof Error)) return String(error);
  if ("code" in error && error.code === "EADDRINUSE") return `Cannot start: a port is in use: ${error.message.replaceAll("\n", " ")}`;
  return error.stack ?? error.message;
}

try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  output.err(`${explain(error)}\n`);
  process.exitCode = 1;
}
// Sockets that are still closing must not keep a program that has done its work.
process.exit();
