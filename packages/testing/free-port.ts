/**
 * Finds a port of loopback that nobody listens on just now, and that the system gives to nobody by itself: those that it
 * hands out, to whoever asks for port 0 or connects, could be gone again before the caller listens.
 */
import { createServer } from "node:net";
import { fixedPortMin, fixedPorts } from "./limits.ts";

/** Each process begins somewhere else, and no process names a port twice before it went round. */
let next = Math.floor(Math.random() * fixedPorts);

export async function freePort(): Promise<number> {
  for (let tries = 0; tries < fixedPorts; tries += 1) {
    const port = fixedPortMin + next;
    next = (next + 1) % fixedPorts;
    if (await isFree(port)) return port;
  }
  throw new Error(`Cannot find a free port: all from ${fixedPortMin} to ${fixedPortMin + fixedPorts - 1} are taken`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer().once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
