/** `bun run dev`: the whole system on this machine until it is asked to stop. A second start finds the first. */
import { accessSync, constants, mkdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { banner } from "./banner.ts";
import type { DevOptions } from "./command-line.ts";
import { Complaint } from "./complaint.ts";
import { diagnose } from "./doctor.ts";
import { meshLogger } from "./host-process.ts";
import { resetPostgres } from "./kept-postgres.ts";
import { otherStartWaitMs, readyPollMs } from "./limits.ts";
import { type Mesh, startMesh } from "./mesh.ts";
import { type MeshFile, readMeshFile, removeMeshFile } from "./mesh-file.ts";
import { takeMeshLock } from "./mesh-lock.ts";
import { isSameProcess, type ProcessIdentity } from "./process-identity.ts";
import type { Environment } from "@ridegrid/runtime";
import { defaultRegionsFile } from "./regions-file.ts";
import { untilAskedToStop } from "./signals.ts";

export type Output = { readonly out: (text: string) => void; readonly err: (text: string) => void };

/** Answers the exit code. */
export async function dev(options: DevOptions, environment: Environment, output: Output): Promise<number> {
  if (options.doctor) return await diagnose(output);
  const directory = resolve(options.dataDirectory);
  makeDataFolder(directory);
  const lock = takeMeshLock(directory);
  if (lock.kind === "held") return await tellAboutOther(directory, lock.by, options, output);
  try {
    if (options.reset) await reset(directory);
    return await runUntilStopped(directory, options, environment, output);
  } finally {
    lock.release();
  }
}

function makeDataFolder(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true });
    accessSync(directory, constants.W_OK);
  } catch (cause) {
    throw new Complaint(`Cannot use data folder "${directory}": ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

async function runUntilStopped(directory: string, options: DevOptions, environment: Environment, output: Output): Promise<number> {
  const startedMs = performance.now();
  const starting = new AbortController();
  const askedToStop = untilAskedToStop();
  void askedToStop.then(() => starting.abort(new Error("asked to stop while starting")));
  const logFormat = environment["RIDEGRID_LOG_FORMAT"] === "json" || environment["NODE_ENV"] === "production" ? "json" : "readable";
  const logger = meshLogger(logFormat, "info").child({ app: "mesh" });
  let mesh: Mesh;
  try {
    mesh = await startMesh({
      directory,
      regionsFile: environment["RIDEGRID_REGIONS_FILE"] ?? defaultRegionsFile,
      ports: options.portBase === undefined ? "usual" : "asked",
      portOffset: options.portBase ?? 0,
      processes: options.processes,
      watch: options.watch,
      kafka: options.kafka,
      city: options.city ? { drivers: options.drivers, seed: options.seed } : undefined,
      environment,
      logFormat,
      logLevel: "info",
      logger,
      write: output.err,
      signal: starting.signal,
    });
  } catch (error) {
    if (starting.signal.aborted) return 0;
    throw error;
  }
  const headline = `RideGrid is ready (${((performance.now() - startedMs) / 1000).toFixed(1)} s)`;
  report(mesh.file(), { headline, directory, options, notes: mesh.notes }, output);
  const reason = await askedToStop;
  logger.info(`stopping: ${reason}`);
  await mesh.stop();
  logger.info("stopped");
  return 0;
}

/** The first start may still be on its way: its banner is worth waiting for. */
async function tellAboutOther(directory: string, by: ProcessIdentity, options: DevOptions, output: Output): Promise<number> {
  const deadline = performance.now() + otherStartWaitMs;
  while (isSameProcess(by) && performance.now() < deadline) {
    const file = readMeshFile(directory);
    if (file !== undefined) {
      report(file, { headline: `RideGrid runs already (pid ${by.pid}); this start does nothing`, directory, options, notes: [] }, output);
      return 0;
    }
    await sleep(readyPollMs);
  }
  throw new Complaint(`Cannot start a second mesh in "${directory}": another one (pid ${by.pid}) is starting or stopping there`);
}

type Report = { readonly headline: string; readonly directory: string; readonly options: DevOptions; readonly notes: readonly string[] };

function report(file: MeshFile, { headline, directory, options, notes }: Report, { out, err }: Output): void {
  const { simulator, mesh } = file.pids;
  const city =
    simulator === undefined ? "none (--no-city)" : `${options.drivers} drivers in a city of seed ${options.seed}, at a gentle pace (a process of its own)`;
  const processes = Object.entries(file.pids).some(([name, pid]) => name.startsWith("gateway.") && pid !== mesh);
  const text = banner({ file, directory, headline, processes, city, notes });
  if (!options.json) return out(text);
  err(text);
  out(`${JSON.stringify(file)}\n`);
}

/** Only what a mesh made: the folder may be anybody's. */
async function reset(directory: string): Promise<void> {
  removeMeshFile(directory);
  await resetPostgres(directory);
  rmSync(join(directory, "kafka"), { recursive: true, force: true });
  rmSync(join(directory, "secrets.json"), { force: true });
}
