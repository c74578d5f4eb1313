/** Another person's ride or offer looks like none, to every method and stream that takes one, on the whole platform. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { randomUUID } from "node:crypto";
import { createLogger } from "@ridegrid/runtime";
import { errorIn, publicMethods } from "./bad-requests.fixture.ts";
import { type Platform, startPlatform } from "./platform.fixture.ts";
import { clientOf, driverAt, newYork, offerFor, requestRide } from "./ride-by-hand.fixture.ts";
import { createBadSender } from "./send-bad-request.fixture.ts";

const setUpMs = 120_000;
let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform({ logger: createLogger({ format: "json", level: "silent" }), tracing: undefined });
}, setUpMs);
afterAll(() => platform.stop(), setUpMs);

test(
  "a stranger finds neither the ride nor the offer, by any method or stream",
  async () => {
    const rider = await clientOf(platform.url, "rider", "r-own");
    const driver = await driverAt(platform.url, "d-own", newYork);
    const { rideId } = await requestRide(rider, newYork);
    const offerId = await offerFor(driver.call, 60_000);
    // Every call of the sender comes from somebody new.
    const strangers = await createBadSender(platform.url);
    const values: Readonly<Record<string, unknown>> = {
      requestId: randomUUID(),
      rideId,
      offerId,
      pin: "1234",
      location: newYork,
      reason: "CANCEL_REASON_OTHER",
    };
    const asked = publicMethods.filter(({ role, input }) => role !== "operator" && input.fields.some(({ name }) => name === "ride_id" || name === "offer_id"));
    const answers: Record<string, string> = {};
    for (const method of asked) {
      const body = JSON.stringify(
        Object.fromEntries(method.input.fields.flatMap(({ jsonName }) => (jsonName in values ? [[jsonName, values[jsonName]]] : []))),
      );
      const error = errorIn((await strangers.send({ method, what: "a stranger", field: "", body, mustRefuse: false })).text);
      answers[method.name] = `${error?.code} ${error?.reason}`;
    }
    console.log(`${asked.length} methods asked by strangers: ${JSON.stringify(answers)}`);
    for (const method of asked) {
      const reason = method.input.fields.some(({ name }) => name === "offer_id") ? "OFFER_NOT_FOUND" : "RIDE_NOT_FOUND";
      expect({ method: method.name, answer: answers[method.name] }).toEqual({ method: method.name, answer: `not_found ${reason}` });
    }
    await driver.call("DeclineOffer", { requestId: randomUUID(), offerId });
    await driver.goHome();
  },
  setUpMs,
);
