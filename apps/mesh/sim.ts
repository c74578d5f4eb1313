/**
 * `bun run sim`: the simulator on a mesh that runs already (`--url`), or on one of its own in a temporary folder.
 *
 * Standard output is the simulator's alone; the exit code is its own.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { simulatorScript } from "./city.ts";
import type { SimOptions } from "./command-line.ts";
import { meshLogger } from "./host-process.ts";
import { resetPostgres } from "./kept-postgres.ts";
import { cityStopTimeoutMs } from "./limits.ts";
import { type Mesh, startMesh } from "./mesh.ts";
import type { Environment } from "@ridegrid/runtime";
import { defaultRegionsFile } from "./regions-file.ts";
import { untilAskedToStop } from "./signals.ts";
import { end, leashedCommand } from "./supervised-process.ts";
import type { Output } from "./dev.ts";

/** Answers the exit code. */
export async function sim(options: SimOptions, args: readonly string[], environment: Environment, output: Output): Promise<number> {
  const stop = new AbortController();
  void untilAskedToStop().then((reason) => stop.abort(new Error(reason)));
  const forSimulator = args.filter((argument) => argument !== "--kafka");
  if (options.url !== undefined || options.help) return await runSimulator(forSimulator, environment, stop.signal);
  const directory = mkdtempSync(join(tmpdir(), "ridegrid-sim-"));
  // As root, Postgres runs as another user who must be able to come in. Secrets have a mode of their own.
  chmodSync(directory, 0o755);
  let mesh: Mesh | undefined;
  try {
    mesh = await startMesh({
      directory,
      regionsFile: environment["RIDEGRID_REGIONS_FILE"] ?? defaultRegionsFile,
      ports: "any",
      portOffset: 0,
      processes: false,
      watch: false,
      kafka: options.kafka,
      city: undefined,
      environment,
      logFormat: "readable",
      logLevel: "warn",
      logger: meshLogger("readable", "warn").child({ app: "mesh" }),
      write: output.err,
      signal: stop.signal,
    });
    const url = Object.values(mesh.file().gateways)[0] ?? "";
    return await runSimulator(["--url", url, ...forSimulator], environment, stop.signal);
  } catch (error) {
    if (stop.signal.aborted) return stoppedExitCode;
    throw error;
  } finally {
    await mesh?.stop();
    await resetPostgres(directory);
    rmSync(directory, { recursive: true, force: true });
  }
}

/** An interrupted simulation is no proof of anything: never exit code 0. */
const stoppedExitCode = 130;

async function runSimulator(args: readonly string[], env: Environment, signal: AbortSignal): Promise<number> {
  signal.throwIfAborted();
  const child: ChildProcess = spawn(process.execPath, [...leashedCommand([simulatorScript, ...args])], {
    detached: true,
    stdio: ["pipe", "inherit", "inherit"],
    env,
  });
  signal.addEventListener("abort", () => void end(child, cityStopTimeoutMs), { once: true });
  return await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? stoppedExitCode));
  });
}
