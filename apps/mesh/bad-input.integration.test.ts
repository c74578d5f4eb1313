/**
 * Bad input, sent to the whole platform: every method with every field broken is a documented refusal that names the
 * field, without a stack trace, and the platform goes on. The long form is `bad-input.soak.ts`.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createLogger } from "@ridegrid/runtime";
import { badRequests, errorIn, publicMethods, wrongWith } from "./bad-requests.fixture.ts";
import { type BadSender, createBadSender } from "./send-bad-request.fixture.ts";
import { type Platform, startPlatform } from "./platform.fixture.ts";
import { newYork, rideByHand } from "./ride-by-hand.fixture.ts";

const setUpMs = 120_000;
let platform: Platform;
let sender: BadSender;

beforeAll(async () => {
  platform = await startPlatform({ logger: createLogger({ format: "json", level: "silent" }), tracing: undefined, regions: ["ewr", "lhr"] });
  sender = await createBadSender(platform.url);
}, setUpMs);
afterAll(() => platform.stop(), setUpMs);

test(
  "every field of every method, broken in every way, is refused with its name",
  async () => {
    const requests = badRequests();
    const wrong: string[] = [];
    let refused = 0;
    for (const request of requests) {
      const answer = await sender.send(request);
      if (answer.status !== 200) refused += 1;
      const problem = wrongWith(request, answer);
      if (problem !== null) wrong.push(`${request.method.name} with ${request.field || "body"} ${request.what}: ${problem}`);
    }
    console.log(`${requests.length} bad requests to ${publicMethods.length} methods: ${refused} refused, ${wrong.length} wrong`);
    expect(wrong).toEqual([]);
  },
  setUpMs,
);

test(
  "a body of 10 MB is read off and answered TOO_LARGE by every method",
  async () => {
    const body = JSON.stringify({ junk: "x".repeat(10_000_000) });
    for (const method of publicMethods) {
      const answer = await sender.send({ method, what: "10 MB", field: "", body, mustRefuse: false });
      expect({ method: method.name, ...errorIn(answer.text) }).toMatchObject({ method: method.name, code: "resource_exhausted", reason: "TOO_LARGE" });
    }
  },
  setUpMs,
);

test(
  "after all of it, a ride still goes from quote to payment",
  async () => {
    expect(await rideByHand(platform.url, newYork, { rider: "r-after", driver: "d-after" })).toMatchObject({ status: "RIDE_STATUS_COMPLETED" });
  },
  setUpMs,
);
