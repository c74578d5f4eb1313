/** A real Redis for one test: Debian's server on a free port, nothing kept, ended with the test. */
import { type ChildProcess, spawn } from "node:child_process";
import { connect } from "node:net";
import { endWithOwner } from "@ridegrid/runtime";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";

export type RedisServer = {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
};

/** Why no Redis can be started here; null when one can. */
export function redisServerMissing(): string | null {
  return Bun.which("redis-server") === null ? "redis-server not found on PATH" : null;
}

export async function startRedisServer(options: { readonly port?: number } = {}): Promise<RedisServer> {
  const port = options.port ?? (await freePort());
  const child = spawn("redis-server", ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no"], {
    stdio: "ignore",
  });
  if (child.pid === undefined) throw new Error("redis-server did not start");
  const watch = endWithOwner(child.pid);
  child.once("exit", () => watch.cancel());
  await eventually(() => listens(port), { timeoutMs: 10_000, what: `redis-server listens on port ${port}` });
  return { port, pid: child.pid, stop: () => stop(child) };
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGKILL");
  await ended;
}
