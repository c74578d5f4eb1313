/** A handler that hangs is given up at the server's deadline, on the plain path and on the library's, and hears of it. */
import { expect, test } from "bun:test";
import { RiderService } from "@ridegrid/contracts";
import { Hono } from "hono";
import { unaryDeadline } from "./deadline.ts";
import { errorMapping } from "./error-mapping.ts";
import { mountConnect } from "./hono-mount.ts";

for (const plainCalls of [true, false]) {
  test(`unaryDeadline() ends a call whose handler hangs: ${plainCalls ? "plain" : "the library's"}`, async () => {
    let signal: AbortSignal | undefined;
    const options = { layers: [errorMapping(() => {}), unaryDeadline(50)], readMaxBytes: 1_024 };
    const routes = {
      getRide: (_: object, context: { readonly signal: AbortSignal }) => {
        signal = context.signal;
        return new Promise<never>(() => {});
      },
    };
    const answer = mountConnect(new Hono(), (router) => router.service(RiderService, routes), options, { onFault() {}, peerAddress: () => "", plainCalls });
    const headers = { "content-type": "application/json", "content-length": "2" };
    const response = await answer(new Request("http://edge/ridegrid.rider.v1.RiderService/GetRide", { method: "POST", headers, body: "{}" }));
    expect(response.status).toBe(504);
    expect(await response.text()).toContain("DEADLINE_EXCEEDED");
    expect(signal?.aborted).toBe(true);
  });
}
