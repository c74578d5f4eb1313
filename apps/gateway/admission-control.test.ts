/** How many calls a gateway works on at once: the next one is refused, and taken when another has ended. */
import { create } from "@bufbuild/protobuf";
import { RiderService } from "@ridegrid/contracts";
import { GetRideResponseSchema } from "@ridegrid/contracts/gen/rider/v1/rider_service_pb";
import { errorMapping, mountConnect } from "@ridegrid/rpc";
import { createTestContext, eventually } from "@ridegrid/testing";
import { expect, test } from "bun:test";
import { Hono } from "hono";
import { createAdmissionControl } from "./admission-control.ts";
import { callsInFlightMax } from "./limits.ts";

for (const plainCalls of [true, false]) {
  test(`createAdmissionControl() works on ${callsInFlightMax} calls at once: ${plainCalls ? "plain" : "the library's"}`, async () => {
    const { clock, random } = createTestContext();
    const { layer } = createAdmissionControl({ clock, random, requestsPerSecond: undefined });
    const { promise: answer, resolve } = Promise.withResolvers<void>();
    let begun = 0;
    const getRide = async () => {
      begun++;
      await answer;
      return create(GetRideResponseSchema);
    };
    const options = { layers: [errorMapping(() => {}), layer], readMaxBytes: 1_024 };
    const served = mountConnect(new Hono(), (router) => router.service(RiderService, { getRide }), options, {
      onFault() {},
      peerAddress: () => "",
      plainCalls,
    });
    const headers = { "content-type": "application/json", "content-length": "2" };
    const call = async () => served(new Request("http://edge/ridegrid.rider.v1.RiderService/GetRide", { method: "POST", headers, body: "{}" }));

    const taken = Array.from({ length: callsInFlightMax }, call);
    await eventually(() => begun === callsInFlightMax, { timeoutMs: 20_000, what: "as many calls as are worked on at once" });
    const refused = await call();
    expect(refused.status).toBe(503);
    expect(await refused.text()).toContain("OVERLOADED");
    expect(begun).toBe(callsInFlightMax);

    resolve();
    expect(new Set((await Promise.all(taken)).map(({ status }) => status))).toEqual(new Set([200]));
    expect((await call()).status).toBe(200);
  }, 30_000);
}
