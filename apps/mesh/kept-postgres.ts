/**
 * The mesh's Postgres: started, or taken over where a killed mesh left it running, and started again when it dies.
 *
 * It comes back on the same port, so that pools find it.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type EmbeddedPostgres, type Logger, removeEmbeddedPostgresData, startEmbeddedPostgres } from "@ridegrid/runtime";
import { Complaint } from "./complaint.ts";
import type { PortPlan } from "./free-port.ts";
import { embeddedMaxConnections, postgresPortPreferred, watchIntervalMs } from "./limits.ts";

export interface KeptPostgres {
  readonly adopted: boolean;
  pid(): number;
  databaseUrl(name: string): string;
  /** Safe to call twice. */
  stop(): Promise<void>;
}

export type KeptPostgresOptions = {
  readonly directory: string;
  readonly ports: PortPlan;
  readonly portOffset: number;
  readonly logger: Logger;
  readonly onRestart: () => void;
};

const settings = { max_connections: String(embeddedMaxConnections) };

export async function keepPostgres({ directory, ports, portOffset, logger, onRestart }: KeptPostgresOptions): Promise<KeptPostgres> {
  const dataDir = join(directory, "postgres");
  // A server left running keeps the port it has.
  const port = mayBeRunning(dataDir) ? {} : { port: await ports.take("Postgres", postgresPortPreferred + portOffset) };
  let server = await startEmbeddedPostgres({ dataDir, settings, ...port }).catch((cause: unknown) => {
    throw new Complaint((cause instanceof Error ? cause.message : String(cause)).replaceAll(/\s*\n\s*/g, " | "), { cause });
  });
  const { adopted } = server;
  let restarting: Promise<void> | undefined;
  let stopped = false;

  async function restart(): Promise<void> {
    logger.error(`Postgres (pid ${server.pid}) is gone; starting it again`);
    try {
      server = await startEmbeddedPostgres({ dataDir, settings, port: server.port });
      onRestart();
    } catch (error) {
      logger.error({ error }, "cannot start Postgres again; trying once more");
    } finally {
      restarting = undefined;
    }
  }

  const timer = setInterval(() => {
    if (!stopped && !server.alive()) restarting ??= restart();
  }, watchIntervalMs);

  return {
    adopted,
    pid: () => server.pid,
    databaseUrl: (name) => server.databaseUrl(name),
    async stop() {
      stopped = true;
      clearInterval(timer);
      await restarting;
      await server.stop();
    },
  };
}

/** Clears a data folder, ending a server that still runs on it. */
export async function resetPostgres(directory: string): Promise<void> {
  const dataDir = join(directory, "postgres");
  const left: EmbeddedPostgres | undefined = mayBeRunning(dataDir) ? await startEmbeddedPostgres({ dataDir }) : undefined;
  await left?.stop();
  removeEmbeddedPostgresData(dataDir);
}

function mayBeRunning(dataDir: string): boolean {
  return existsSync(join(dataDir, "postmaster.pid"));
}
