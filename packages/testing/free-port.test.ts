/** Ports for servers that are told theirs. */
import { expect, test } from "bun:test";
import { createServer, type Server } from "node:net";
import { freePort } from "./free-port.ts";

const listening = (port: number): Promise<Server> =>
  new Promise(
    (resolve) =>
      void createServer().listen(port, "127.0.0.1", function (this: Server) {
        resolve(this);
      }),
  );

test("freePort() names no port twice, none that somebody listens on, and none that the system hands out", async () => {
  const first = await freePort();
  const taken = await listening(first + 1);
  try {
    const ports = [first, await freePort(), await freePort()];
    expect(new Set([...ports, first + 1]).size).toBe(4);
    for (const port of ports) expect(port).toBeLessThan(32_768);
  } finally {
    taken.close();
  }
});
