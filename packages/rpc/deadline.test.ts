/** A handler that hangs is given up at the server's deadline, on the plain path and on the library's, and hears of it; its layers end once. */
import { expect, test } from "bun:test";
import { RiderService } from "@ridegrid/contracts";
import { Hono } from "hono";
import { admission } from "./admission.ts";
import { unaryDeadline } from "./deadline.ts";
import { errorMapping } from "./error-mapping.ts";
import { mountConnect } from "./hono-mount.ts";

for (const plainCalls of [true, false]) {
  test(`unaryDeadline() ends a call whose handler hangs: ${plainCalls ? "plain" : "the library's"}`, async () => {
    let signal: AbortSignal | undefined;
    let ended = 0;
    const late = Promise.withResolvers<object>();
    const counting = { unary: () => () => void ended++ };
    const options = { layers: [counting, errorMapping(() => {}), admission, unaryDeadline(50)], readMaxBytes: 1_024 };
    const routes = {
      getRide(_: object, context: { readonly signal: AbortSignal }) {
        signal = context.signal;
        return late.promise;
      },
    };
    const answer = mountConnect(new Hono(), (router) => router.service(RiderService, routes), options, { onFault() {}, peerAddress: () => "", plainCalls });
    const headers = { "content-type": "application/json", "content-length": "2" };
    const response = await answer(new Request("http://edge/ridegrid.rider.v1.RiderService/GetRide", { method: "POST", headers, body: "{}" }));
    expect(response.status).toBe(504);
    expect(await response.text()).toContain("DEADLINE_EXCEEDED");
    expect(signal?.aborted).toBe(true);
    late.resolve({});
    await late.promise;
    await Promise.resolve();
    expect(ended).toBe(1);
  });
}
