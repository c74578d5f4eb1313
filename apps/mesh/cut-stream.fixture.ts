/** Follows a public stream of updates that is cut at random, and goes on from its cursor at whichever gateway comes next. */
import type { Json } from "./ride-by-hand.fixture.ts";
import { enveloped, takeOne } from "./watch-by-hand.fixture.ts";

export type CutStream = {
  /** Paths such as "rider.v1.RiderService/WatchRide". */
  readonly method: string;
  readonly request: Json;
  readonly token: string;
  readonly gateways: readonly string[];
  readonly random: { next(): number };
  readonly isLast: (update: Json) => boolean;
};

/** `updates` are all but heartbeats and locations, each with its cursor. */
export type Followed = { readonly updates: readonly Json[]; readonly cuts: number; readonly breaks: number; readonly wrong: readonly string[] };

const openMsMax = 2_500;
/** What a client asks again after: somebody behind the stream went away, or the rate of opening streams was met. */
const passing = /"code":"(unavailable|aborted|internal|deadline_exceeded|resource_exhausted|canceled)"/;

export async function followThroughCuts(stream: CutStream, untilMs: number): Promise<Followed> {
  const updates: Json[] = [];
  const wrong: string[] = [];
  let [cuts, breaks, cursor] = [0, 0, ""];
  const take = (message: Json): void => {
    cursor = String(message["cursor"] ?? cursor);
    if (message["heartbeat"] === undefined && message["driverLocation"] === undefined) updates.push(message);
  };
  while (performance.now() < untilMs && !updates.some(stream.isLast)) {
    const gateway = stream.gateways[Math.floor(stream.random.next() * stream.gateways.length)] ?? "";
    const cut = AbortSignal.timeout(20 + Math.floor(stream.random.next() * openMsMax));
    try {
      await readStream({ ...stream, url: `${gateway}/ridegrid.${stream.method}`, request: { ...stream.request, cursor }, signal: cut }, take);
    } catch (error) {
      if (cut.aborted) cuts++;
      else if (error instanceof StreamRefused && !passing.test(error.message)) wrong.push(error.message);
      else {
        breaks++;
        await Bun.sleep(100 + stream.random.next() * 200);
      }
    }
  }
  return { updates, cuts, breaks, wrong };
}

class StreamRefused extends Error {
  override readonly name = "StreamRefused";
}

type Open = Pick<CutStream, "token" | "request" | "isLast"> & { readonly url: string; readonly signal: AbortSignal };

/** Resolves after the last update, or when the stream ends by itself. */
async function readStream({ url, request, token, isLast, signal }: Open, take: (message: Json) => void): Promise<void> {
  const headers = { "content-type": "application/connect+json", authorization: `Bearer ${token}` };
  const response = await fetch(url, { method: "POST", headers, body: enveloped(JSON.stringify(request)), signal });
  if (response.body === null) throw new Error(`${url} answered ${response.status} without a stream`);
  if (!response.ok) throw new StreamRefused(await response.text());
  let rest = new Uint8Array();
  for await (const chunk of response.body) {
    rest = Uint8Array.from([...rest, ...chunk]);
    for (let next = takeOne(rest); next !== null; next = takeOne(rest)) {
      rest = next.rest;
      if (next.isEnd && next.message["error"] !== undefined) throw new StreamRefused(JSON.stringify(next.message["error"]));
      if (next.isEnd) return;
      take(next.message);
      if (isLast(next.message)) return;
    }
  }
}
