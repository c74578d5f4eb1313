/** A rider's or a driver's stream over Connect's JSON streaming with `fetch`: an envelope of five bytes before each message. */
import type { Json } from "./ride-by-hand.fixture.ts";

export interface WatchByHand {
  /** Of the ride, or of the driver, in the order they came. */
  versions(): readonly number[];
  /** Of the ride, as the last message about one said; empty before the first. */
  status(): string;
  close(): void;
}

export function watchByHand(token: string, url: string, rideId: unknown): WatchByHand {
  const versionOf = ({ ride }: Json): number => (ride === undefined ? Number.NaN : Number((ride as Json)["version"]));
  return follow({ token, url: `${url}/ridegrid.rider.v1.RiderService/WatchRide`, body: { rideId }, versionOf });
}

/** A driver's cursor is the driver's version; a heartbeat repeats it and tells none. */
export function watchOffersByHand(token: string, url: string): WatchByHand {
  const versionOf = ({ cursor, heartbeat }: Json): number => (heartbeat === undefined ? Number(/^d\.(\d+)$/.exec(String(cursor))?.[1]) : Number.NaN);
  return follow({ token, url: `${url}/ridegrid.driver.v1.DriverService/WatchOffers`, body: {}, versionOf });
}

/** `versionOf` answers NaN for a message that tells no version. */
type Followed = { readonly token: string; readonly url: string; readonly body: Json; readonly versionOf: (message: Json) => number };

function follow({ token, url, body, versionOf }: Followed): WatchByHand {
  const versions: number[] = [];
  let status = "";
  const control = new AbortController();
  let failure: unknown;

  function onMessage(message: Json): void {
    const version = versionOf(message);
    if (!Number.isNaN(version)) versions.push(version);
    if (message["ride"] !== undefined) status = String((message["ride"] as Json)["status"]);
  }

  async function run(): Promise<void> {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/connect+json", authorization: `Bearer ${token}` },
      body: enveloped(JSON.stringify(body)),
      signal: control.signal,
    });
    if (response.body === null) throw new Error(`${url} answered ${response.status} without a stream`);
    let rest = new Uint8Array();
    for await (const chunk of response.body) {
      rest = Uint8Array.from([...rest, ...chunk]);
      for (let next = takeOne(rest); next !== null; next = takeOne(rest)) {
        rest = next.rest;
        if (!next.isEnd) onMessage(next.message);
        else if (next.message["error"] !== undefined) throw new Error(JSON.stringify(next.message["error"]));
      }
    }
  }

  void run().catch((error: unknown) => (failure = control.signal.aborted ? undefined : error));
  const checked = <T>(value: T): T => {
    if (failure !== undefined) throw new Error("The stream failed", { cause: failure });
    return value;
  };
  return { versions: () => checked(versions), status: () => checked(status), close: () => control.abort() };
}

const prefixBytes = 5;
const endFlag = 2;

export function enveloped(text: string): Uint8Array<ArrayBuffer> {
  const body = new TextEncoder().encode(text);
  const bytes = new Uint8Array(prefixBytes + body.length);
  new DataView(bytes.buffer).setUint32(1, body.length);
  bytes.set(body, prefixBytes);
  return bytes;
}

/** The first message of the bytes and what follows it; null until it is whole. */
export function takeOne(bytes: Uint8Array<ArrayBuffer>): { readonly message: Json; readonly isEnd: boolean; readonly rest: Uint8Array<ArrayBuffer> } | null {
  if (bytes.length < prefixBytes) return null;
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
  if (bytes.length < prefixBytes + length) return null;
  const message = JSON.parse(new TextDecoder().decode(bytes.subarray(prefixBytes, prefixBytes + length))) as Json;
  return { message, isEnd: ((bytes[0] ?? 0) & endFlag) !== 0, rest: bytes.slice(prefixBytes + length) };
}
