/** A taken port is stepped over, unless it was asked for; what is given out is not given out again. */
import { expect, test } from "bun:test";
import { createServer, type Server } from "node:net";
import { createPortPlan } from "./free-port.ts";

async function occupied(): Promise<{ readonly port: number; readonly server: Server }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return { port: address.port, server };
}

test("take() steps over a taken port and says so", async () => {
  const { port, server } = await occupied();
  const plan = createPortPlan("usual");
  const given = await plan.take("the gateway", port);
  expect(given).toBeGreaterThan(port);
  expect(plan.moved).toEqual([`port ${port} is in use; the gateway has ${given}`]);
  server.close();
});

test("take() refuses a taken port that was asked for", async () => {
  const { port, server } = await occupied();
  await expect(createPortPlan("asked").take("the gateway", port)).rejects.toThrow(`port ${port} is in use`);
  server.close();
});

test("take() gives no port out twice", async () => {
  const { port, server } = await occupied();
  await new Promise((resolve) => server.close(resolve));
  const plan = createPortPlan("usual");
  const first = await plan.take("one", port);
  const second = await plan.take("other", port);
  expect(second).toBeGreaterThan(first);
});
