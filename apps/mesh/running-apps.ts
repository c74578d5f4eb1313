/** The apps of a mesh as their keeper sees them, whether they share its process or have their own. */
import type { Regions } from "@ridegrid/spatial";
import type { AppTarget } from "./app-target.ts";
import type { KafkaConfig, LogLevel } from "./read-environment.ts";
import type { Secrets } from "./secrets.ts";

export interface RunningApps {
  /** Resolves when every app was started; readiness comes later. */
  start(): Promise<void>;
  /** What is not ready yet, in words; empty when all is. */
  unready(): Promise<readonly string[]>;
  /** By app name; a child that is between two lives keeps its last pid. */
  pids(): Readonly<Record<string, number>>;
  metrics(): Readonly<Record<string, string>>;
  /** Starts the apps anew, with the code as it is now. */
  restart(): Promise<void>;
  /** Safe to call twice. */
  stop(): Promise<void>;
}

/** What both kinds need to know. */
export type AppsPlan = {
  readonly targets: readonly AppTarget[];
  readonly regions: Regions;
  readonly regionsFile: string;
  readonly secrets: Secrets;
  readonly databaseUrl: string;
  readonly logDatabaseUrl: (region: string) => string;
  /** Where a region's log is on brokers; on the embedded log when undefined. */
  readonly kafka: (region: string) => KafkaConfig | undefined;
  readonly gatewayPorts: ReadonlyMap<string, { readonly http: number; readonly grpc: number }>;
  readonly logFormat: "json" | "readable";
  readonly logLevel: LogLevel;
};

export function gatewayUrl(plan: Pick<AppsPlan, "gatewayPorts">, region: string): string {
  return `http://localhost:${portsOf(plan, region).http}`;
}

export function portsOf({ gatewayPorts }: Pick<AppsPlan, "gatewayPorts">, region: string): { readonly http: number; readonly grpc: number } {
  const ports = gatewayPorts.get(region);
  if (ports === undefined) throw new Error(`No ports are planned for the gateway of "${region}"`);
  return ports;
}

/** The parts that `/readyz` at `url` calls not ready; the process itself where it does not answer. */
export async function unreadyParts(name: string, url: string): Promise<readonly string[]> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    if (response.ok) {
      await response.arrayBuffer();
      return [];
    }
    const body: unknown = await response.json();
    return partsIn(body, name);
  } catch {
    return [`${name} does not answer`];
  }
}

function partsIn(body: unknown, name: string): readonly string[] {
  const parts: unknown = typeof body === "object" && body !== null && "parts" in body ? body.parts : [];
  const unready = (Array.isArray(parts) ? parts : []).filter((part: { ready?: unknown }) => part.ready !== true);
  if (unready.length === 0) return [`${name} is not ready`];
  return unready.map(
    (part: { name?: unknown; detail?: unknown }) =>
      `${name}: ${String(part.name)}${part.detail === "" || part.detail === undefined ? "" : ` (${String(part.detail)})`}`,
  );
}
