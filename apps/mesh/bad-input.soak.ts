/**
 * 100,000 messages from one seed, cut, spliced and mutated at random, JSON and binary, to every unary method of the
 * whole platform: never a fault, never a stack trace, and rides go on.
 */
import { expect, test } from "bun:test";
import { createLogger } from "@ridegrid/runtime";
import { createSeededRandom } from "@ridegrid/testing";
import { type BadRequest, badRequests, wrongWith } from "./bad-requests.fixture.ts";
import { startPlatform } from "./platform.fixture.ts";
import { newYork, rideByHand } from "./ride-by-hand.fixture.ts";
import { createBadSender } from "./send-bad-request.fixture.ts";

const messages = 100_000;
const seed = 20_261_125;
const atOnce = 8;
const soakTimeoutMs = 10 * 60_000;

test(
  "100,000 random messages meet no fault",
  async () => {
    const platform = await startPlatform({ logger: createLogger({ format: "json", level: "silent" }), tracing: undefined, regions: ["ewr", "lhr"] });
    const sender = await createBadSender(platform.url);
    const random = createSeededRandom(seed);
    const corpus = badRequests().filter(({ method }) => !method.streams);
    const statuses = new Map<number, number>();
    const wrong: string[] = [];
    let sent = 0;
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        while (sent++ < messages) {
          const request = mutated(corpus, random);
          const binary = random.next() < 0.3;
          const answer = await sender.send(request, binary ? "application/proto" : "application/json");
          statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
          // A binary success is no JSON, and needs none.
          const problem = answer.status === 200 && binary ? null : wrongWith(request, answer);
          if (problem !== null && wrong.length < 20) wrong.push(`${request.method.name} with ${request.body.slice(0, 200)}: ${problem}`);
        }
      }),
    );
    console.log(`${messages} random messages, seed ${seed}: ${JSON.stringify(Object.fromEntries(statuses))}, ${wrong.length} wrong`);
    expect(wrong).toEqual([]);
    expect(await rideByHand(platform.url, newYork, { rider: "r-after", driver: "d-after" })).toMatchObject({ status: "RIDE_STATUS_COMPLETED" });
    await platform.stop();
  },
  soakTimeoutMs,
);

function mutated(corpus: readonly BadRequest[], random: ReturnType<typeof createSeededRandom>): BadRequest {
  const pick = (): BadRequest => corpus[Math.floor(random.next() * corpus.length)] ?? fail();
  const [base, other] = [pick(), pick()];
  const cut = Math.floor(random.next() * base.body.length);
  const kinds = [
    () => base.body,
    () => base.body.slice(0, cut) + other.body.slice(Math.floor(random.next() * other.body.length)),
    () => base.body.slice(0, cut) + String.fromCharCode(Math.floor(random.next() * 0x300)) + base.body.slice(cut + 1),
    () => base.body.slice(0, cut),
  ];
  const body = (kinds[Math.floor(random.next() * kinds.length)] ?? fail)();
  return { ...base, what: "random", field: "", body, mustRefuse: false };
}

function fail(): never {
  throw new Error("The corpus is empty");
}
