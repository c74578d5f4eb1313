/** HTTP/2 between processes keeps the promises of a transport, proves its peer, and survives a peer's restart. */
import { expect, test } from "bun:test";
import { Code, ConnectError, type ConnectRouter, createClient } from "@connectrpc/connect";
import { CoordinatorService, StateService } from "@ridegrid/contracts";
import { asService, h2cTransport, listenInternal, reasonOf } from "./index.ts";
import { transportConformance } from "./transport.conformance.ts";

transportConformance("h2cTransport()", async (routes, onFault) => {
  const listener = await listenInternal({ port: 0, routes, token: "mesh", onFault });
  return { transport: h2cTransport({ url: `http://127.0.0.1:${listener.port}`, token: "mesh" }), close: () => listener.close() };
});

const routes = (router: ConnectRouter): void => {
  router.service(CoordinatorService, { now: () => ({}) });
};

test("listenInternal() refuses a peer with another token", async () => {
  const listener = await listenInternal({ port: 0, routes, token: "mesh" });
  const client = createClient(CoordinatorService, h2cTransport({ url: `http://127.0.0.1:${listener.port}`, token: "guess" }));
  const error = await client.now({}, asService("t")).catch((reason: unknown) => reason);
  expect(reasonOf(error)).toBe("TOKEN_INVALID");
  await listener.close();
});

test("h2cTransport() calls an absent peer DEPENDENCY_AWAY, and reaches it once it is there", async () => {
  const first = await listenInternal({ port: 0, routes, token: "mesh" });
  const client = createClient(CoordinatorService, h2cTransport({ url: `http://127.0.0.1:${first.port}`, token: "mesh" }));
  await client.now({}, asService("t"));
  await first.close();
  const error = await client.now({}, asService("t")).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ConnectError);
  expect(reasonOf(error)).toBe("DEPENDENCY_AWAY");
  const second = await listenInternal({ port: first.port, routes, token: "mesh" });
  await client.now({}, asService("t"));
  await second.close();
});

test("listenInternal().close() ends an open stream with unavailable", async () => {
  const listener = await listenInternal({
    port: 0,
    token: "mesh",
    routes: (router) =>
      router.service(StateService, {
        async *watchRide(_, { signal }) {
          yield {};
          await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
        },
      }),
  });
  const client = createClient(StateService, h2cTransport({ url: `http://127.0.0.1:${listener.port}`, token: "mesh" }));
  const messages = client.watchRide({ region: "ewr", command: { rideId: "0199c0de-0000-7000-8000-000000000001" } }, asService("t"))[Symbol.asyncIterator]();
  await messages.next();
  const [error] = await Promise.all([messages.next().catch((reason: unknown) => reason), listener.close()]);
  expect(error instanceof ConnectError && error.code).toBe(Code.Unavailable);
});
