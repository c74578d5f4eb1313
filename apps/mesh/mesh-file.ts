/**
 * `DIR/mesh.json`: what runs, under which pids and addresses, for tools and for a second start.
 *
 * Written whole or not at all, when the mesh is ready and again when a process is restarted; removed at start and stop.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export type MeshFile = {
  /** By name: `gateway.ewr`, `assignment-coordinator`, `postgres`, `simulator`, `mesh`. */
  readonly pids: Readonly<Record<string, number>>;
  readonly gateways: Readonly<Record<string, string>>;
  readonly grpc: Readonly<Record<string, string>>;
  readonly metrics: Readonly<Record<string, string>>;
  /** "host:port" of the broker that `--kafka` started, or of those that `KAFKA_BROKERS` names. */
  readonly kafka?: string;
  readonly databaseUrl: string;
  readonly startedAt: string;
};

export function writeMeshFile(directory: string, file: MeshFile): void {
  const path = pathOf(directory);
  const aside = `${path}.${process.pid}.new`;
  writeFileSync(aside, `${JSON.stringify(file, null, 2)}\n`);
  renameSync(aside, path);
}

export function removeMeshFile(directory: string): void {
  rmSync(pathOf(directory), { force: true });
}

/** Undefined when there is none, or something else wrote it. */
export function readMeshFile(directory: string): MeshFile | undefined {
  try {
    const file: unknown = JSON.parse(readFileSync(pathOf(directory), "utf8"));
    return isMeshFile(file) ? file : undefined;
  } catch {
    return undefined;
  }
}

function pathOf(directory: string): string {
  return join(directory, "mesh.json");
}

function isMeshFile(value: unknown): value is MeshFile {
  if (typeof value !== "object" || value === null) return false;
  const tables = ["pids", "gateways", "grpc", "metrics"];
  const fields = new Map<string, unknown>(Object.entries(value));
  return (
    tables.every((name) => typeof fields.get(name) === "object" && fields.get(name) !== null) &&
    ["databaseUrl", "startedAt"].every((name) => typeof fields.get(name) === "string")
  );
}
