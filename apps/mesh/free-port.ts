/**
 * Ports for a mesh: the one that is wanted, or the next free one above it.
 *
 * Asked-for ports (`--port-base`) are not moved: one that is taken is a `Complaint`. No port is given out twice.
 */
import { createServer } from "node:net";
import { Complaint } from "./complaint.ts";
import { portSearchMax } from "./limits.ts";

export interface PortPlan {
  /** The port to listen on for `what`, which names it in a complaint. */
  take(what: string, wanted: number): Promise<number>;
  /** What was moved, as sentences for the banner. */
  readonly moved: readonly string[];
}

/** "usual" moves up from a taken port, "asked" does not, "any" takes what the system gives: two meshes never meet. */
export type PortChoice = "usual" | "asked" | "any";

export function createPortPlan(choice: PortChoice): PortPlan {
  const taken = new Set<number>();
  const moved: string[] = [];
  return {
    moved,
    async take(what, wanted) {
      if (choice === "any") return await anyFree(taken);
      const highest = Math.min(65_535, choice === "asked" ? wanted : wanted + portSearchMax);
      for (let port = wanted; port <= highest; port++) {
        if (taken.has(port) || !(await isFree(port))) continue;
        taken.add(port);
        if (port !== wanted) moved.push(`port ${wanted} is in use; ${what} has ${port}`);
        return port;
      }
      throw new Complaint(`Cannot listen for ${what}: ${choice === "asked" ? `port ${wanted} is in use` : `no port from ${wanted} to ${highest} is free`}`);
    },
  };
}

async function anyFree(taken: Set<number>): Promise<number> {
  for (;;) {
    const port = await new Promise<number>((resolve, reject) => {
      const server = createServer().once("error", reject);
      server.listen(0, "127.0.0.1", () => {
        const address = server.address();
        server.close(() => (address !== null && typeof address === "object" ? resolve(address.port) : reject(new Error("Cannot find a free port"))));
      });
    });
    if (taken.has(port)) continue;
    taken.add(port);
    return port;
  }
}

/** Both loopback and every address are tried: a server bound to either would answer in our place. */
async function isFree(port: number): Promise<boolean> {
  return (await canListen(port, "127.0.0.1")) && (await canListen(port, undefined));
}

function canListen(port: number, host: string | undefined): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, exclusive: true, ...(host === undefined ? {} : { host }) }, () => server.close(() => resolve(true)));
  });
}
