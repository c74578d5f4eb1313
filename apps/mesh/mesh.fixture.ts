/**
 * A mesh as a person has it, for tests: a process of `main.ts dev` in a folder and on ports of its own, spoken to over
 * Connect JSON. Whatever a test did, `reap` leaves neither process nor folder.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "@ridegrid/testing";
import { resetPostgres } from "./kept-postgres.ts";
import { type MeshFile, readMeshFile } from "./mesh-file.ts";
import { isAlive } from "./process-identity.ts";

const mainScript = join(import.meta.dir, "main.ts");

export type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

export interface Program {
  readonly pid: number;
  readonly output: () => string;
  readonly ended: Promise<Ended>;
  signal(name: NodeJS.Signals): void;
}

export interface MeshFolder {
  readonly directory: string;
  /** Runs `main.ts` with these arguments. */
  run(...args: readonly string[]): Program;
  /** `dev` on this folder and ports, once `mesh.json` is there. */
  dev(...flags: readonly string[]): Promise<Program>;
  file(): MeshFile;
  /** Pids of everything that was started from here and still runs. */
  survivors(): readonly number[];
  portsInUse(): Promise<readonly number[]>;
  reap(): Promise<void>;
}

export function gatewayOf(folder: MeshFolder, region: string): string {
  const found = folder.file().gateways[region];
  if (found === undefined) throw new Error(`mesh.json names no gateway of ${region}`);
  return found;
}

export type MeshFolderOptions = {
  /** Of everything that is started from the folder, beside the test's own. */
  readonly environment?: Readonly<Record<string, string>>;
};

export async function createMeshFolder({ environment: more = {} }: MeshFolderOptions = {}): Promise<MeshFolder> {
  const directory = mkdtempSync(join(tmpdir(), "ridegrid-mesh-"));
  // As root, Postgres runs as another user who must be able to come in.
  chmodSync(directory, 0o755);
  const marker = randomUUID();
  const portBase = await freePortBase();

  // What a test run sets so that nothing outlives it: a mesh under it would take its Postgres along when it is killed.
  // Where the logs are is each test's own choice.
  const { BUN_FEATURE_FLAG_NO_ORPHANS: _, KAFKA_BROKERS: __, ...environment } = process.env;

  function run(...args: readonly string[]): Program {
    const child = spawn(process.execPath, [mainScript, ...args], {
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...environment, ...more, RIDEGRID_TEST_MARKER: marker },
    });
    return programOf(child);
  }

  const survivors = (): readonly number[] => processesWith(marker, directory);
  return {
    directory,
    run,
    async dev(...flags) {
      const program = run("dev", "--data", directory, "--port-base", String(portBase), ...flags);
      let ended: Ended | undefined;
      void program.ended.then((how) => (ended = how));
      const isReady = (): boolean => readMeshFile(directory)?.pids["mesh"] === program.pid;
      await eventually(() => ended !== undefined || isReady(), { timeoutMs: 60_000, what: "a mesh that is ready" }).catch((cause: unknown) => {
        throw new Error(`dev did not get ready:\n${program.output()}`, { cause });
      });
      if (!isReady()) throw new Error(`dev ended before it was ready:\n${program.output()}`);
      return program;
    },
    file() {
      const file = readMeshFile(directory);
      if (file === undefined) throw new Error(`There is no mesh.json in ${directory}`);
      return file;
    },
    survivors,
    portsInUse: () => inUse(portBase),
    async reap() {
      for (const pid of survivors()) kill(pid);
      await eventually(() => survivors().length === 0, { timeoutMs: 10_000, what: "the end of every process" });
      await resetPostgres(directory);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function programOf(child: ChildProcess): Program {
  const { pid } = child;
  if (pid === undefined) throw new Error("the program did not start");
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (chunk: Buffer) => (stdout += String(chunk)));
  child.stderr?.on("data", (chunk: Buffer) => (stderr += String(chunk)));
  const ended = new Promise<Ended>((resolve) => child.once("close", (code) => resolve({ code, stdout, stderr })));
  return { pid, output: () => `${stdout}${stderr}`, ended, signal: (name) => void process.kill(pid, name) };
}

const portsOfMesh = [5439, 8001, 8002, 8011, 8012, 9092, 9093, ...Array.from({ length: 18 }, (_, index) => 8101 + index)];

/** Test files run side by side: each mesh looks for a range that nobody uses. */
async function freePortBase(): Promise<number> {
  for (let tries = 0; tries < 50; tries++) {
    const [dice = 0] = crypto.getRandomValues(new Uint8Array(1));
    const base = 1_000 + 200 * (dice % 100);
    if ((await inUse(base)).length === 0) return base;
  }
  throw new Error("Cannot find a free range of ports");
}

async function inUse(base: number): Promise<readonly number[]> {
  const ports = portsOfMesh.map((port) => port + base);
  const free = await Promise.all(ports.map(isFree));
  return ports.filter((_, index) => free[index] !== true);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer().once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/** By an environment variable that children inherit, or by the folder in their arguments: Postgres has no environment of ours. */
function processesWith(marker: string, directory: string): readonly number[] {
  const pids = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  return pids.filter(
    (pid) => pid !== process.pid && isAlive(pid) && (read(`/proc/${pid}/environ`).includes(marker) || read(`/proc/${pid}/cmdline`).includes(directory)),
  );
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Gone already.
  }
}
