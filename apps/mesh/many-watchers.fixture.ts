/** Thousands of open `WatchRide` streams over h2c, a bounded number on each connection, and when each message came. */
import { connect, type ClientHttp2Session } from "node:http2";
import type { Json } from "./ride-by-hand.fixture.ts";
import { enveloped, takeOne } from "./watch-by-hand.fixture.ts";

export type Watcher = { readonly rideId: string; readonly token: string };

export interface ManyWatchers {
  /** Streams that have had their first message and are open. */
  open(): number;
  /** Milliseconds from each change's time, by the database, to its message here; snapshots do not count. */
  readonly delaysMs: readonly number[];
  readonly failures: readonly string[];
  close(): void;
}

/** Bun's server refuses more than about 256 streams on one connection. */
const streamsPerConnection = 100;
/** Opened at once: what a city's phones do after a restart, and no more. */
const openingMax = 200;

export async function openWatchers(url: string, watchers: readonly Watcher[]): Promise<ManyWatchers> {
  const sessions: ClientHttp2Session[] = [];
  const delaysMs: number[] = [];
  const failures: string[] = [];
  let open = 0;

  function onUpdate(message: Json, isFirst: boolean): void {
    const ride = message["ride"] as Json | undefined;
    if (ride !== undefined && !isFirst) delaysMs.push(Date.now() - Date.parse(String(ride["updateTime"])));
  }

  function openOne(session: ClientHttp2Session, { rideId, token }: Watcher): Promise<void> {
    const first = Promise.withResolvers<void>();
    const headers = {
      ":method": "POST",
      ":path": "/ridegrid.rider.v1.RiderService/WatchRide",
      "content-type": "application/connect+json",
      authorization: `Bearer ${token}`,
    };
    const stream = session.request(headers);
    let rest = new Uint8Array();
    let messages = 0;
    stream.on("data", (chunk: Uint8Array) => {
      rest = Uint8Array.from([...rest, ...chunk]);
      for (let next = takeOne(rest); next !== null; next = takeOne(rest)) {
        rest = next.rest;
        if (next.isEnd && next.message["error"] !== undefined) failures.push(JSON.stringify(next.message["error"]));
        if (next.isEnd) continue;
        if (messages++ === 0) open++;
        onUpdate(next.message, messages === 1);
        first.resolve();
      }
    });
    stream.on("error", (error: Error) => failures.push(String(error)));
    stream.on("close", () => {
      if (messages > 0) open--;
      first.resolve();
    });
    stream.end(enveloped(JSON.stringify({ rideId })));
    return first.promise;
  }

  for (let from = 0; from < watchers.length; from += openingMax) {
    const batch = watchers.slice(from, from + openingMax);
    const opening = batch.map((watcher, index) => {
      if ((from + index) % streamsPerConnection === 0) sessions.push(connect(url).on("error", (error: Error) => failures.push(String(error))));
      const session = sessions.at(-1);
      if (session === undefined) throw new Error("no connection was opened");
      return openOne(session, watcher);
    });
    await Promise.all(opening);
  }
  return { open: () => open, delaysMs, failures, close: () => sessions.forEach((session) => session.destroy()) };
}
