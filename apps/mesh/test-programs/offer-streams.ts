/** Many drivers' `WatchOffers` over h2c, a bounded number on each connection; what is told is the offers and nothing else. */
import { type ClientHttp2Session, connect } from "node:http2";
import { enveloped, takeOne } from "../watch-by-hand.fixture.ts";
import type { Json, Person } from "./json-calls.ts";

/** Bun's server refuses more than about 256 streams on one connection. */
const streamsPerConnection = 100;
/** Opened at once. */
const openingMax = 50;

/** Resolves when every stream has had its first message. A stream that breaks ends the program: what it measured is worth nothing. */
export async function openOfferStreams(url: string, drivers: readonly Person[], onOffer: (driver: Person, offer: Json) => void): Promise<void> {
  let session: ClientHttp2Session | undefined;
  for (let from = 0; from < drivers.length; from += openingMax) {
    if (session === undefined || from % streamsPerConnection === 0) session = connect(url).on("error", broken);
    const over = session;
    await Promise.all(drivers.slice(from, from + openingMax).map((driver) => openOne(over, driver, onOffer)));
  }
}

function openOne(session: ClientHttp2Session, driver: Person, onOffer: (driver: Person, offer: Json) => void): Promise<void> {
  const first = Promise.withResolvers<void>();
  const stream = session.request({
    ":method": "POST",
    ":path": "/ridegrid.driver.v1.DriverService/WatchOffers",
    "content-type": "application/connect+json",
    authorization: `Bearer ${driver.token}`,
  });
  let rest = new Uint8Array();
  stream.on("data", (chunk: Uint8Array) => {
    rest = rest.byteLength === 0 ? Uint8Array.from(chunk) : Uint8Array.from([...rest, ...chunk]);
    for (let next = takeOne(rest); next !== null; next = takeOne(rest)) {
      rest = next.rest;
      if (next.isEnd) return broken(next.message);
      first.resolve();
      const offer = next.message["offer"] as Json | undefined;
      if (offer !== undefined) onOffer(driver, offer);
    }
  });
  stream.on("error", broken);
  stream.on("close", () => broken("closed"));
  stream.end(enveloped("{}"));
  return first.promise;
}

function broken(why: unknown): void {
  process.stderr.write(`Cannot go on: a driver's stream ended: ${why instanceof Error ? why.message : JSON.stringify(why)}\n`);
  process.exit(1);
}
