/**
 * A ride of people whose names, plate, places and tokens are found again wherever they leak, with everything that goes
 * wrong on the way: strangers' tokens, wrong PINs, broken bodies, refused commands.
 */
import { randomUUID } from "node:crypto";
import { eventually, type SeenSpan } from "@ridegrid/testing";
import { type Call, driverAt, type Json, offerFor, type Point, requestRide, rideIn } from "./ride-by-hand.fixture.ts";

const riderName = "Wilhelmina-Planted-Rider";
const driverName = "Thaddeus-Planted-Driver";
const plate = "PLANTED-77";
const strangersToken = "planted.token.of-nobody";
/** Inside New York; no two digits after the third are there by chance. */
const pickup: Point = { latitude: 40.754913579246, longitude: -73.984086421357 };

/** Places are cut to what would still be precise: about ten meters. */
export const plantedPeople: readonly string[] = [riderName, driverName, plate, strangersToken, "40.75491", "73.98408", "40.77491", "73.97408"];

export type PlantedRide = {
  /** Of this run. */
  readonly secrets: readonly string[];
  /** A PIN is four digits, which numbers have by chance: it is looked for as a word in text. */
  pinLeaks(seen: { readonly lines: readonly string[]; readonly spans: readonly SeenSpan[]; readonly metrics: string }): readonly string[];
};

export async function rideOfPlanted(url: string): Promise<PlantedRide> {
  const riderToken = await tokenOf(url, "rider", riderName);
  const driverToken = await tokenOf(url, "driver", driverName);
  const rider = callsWith(url, "rider.v1.RiderService", riderToken);
  const driver = callsWith(url, "driver.v1.DriverService", driverToken);
  await failures(url, rider, riderToken);
  const driving = await driverAt(url, driverName, pickup);
  await driver("GoOffline", { requestId: randomUUID() });
  await driver("GoOnline", { requestId: randomUUID(), location: pickup, vehicle: { seats: 4, plate, model: "Sedan" } });
  const { rideId } = await requestRide(rider, pickup);
  const watched = [
    watch(`${url}/ridegrid.rider.v1.RiderService/WatchRide`, riderToken, { rideId }),
    watch(`${url}/ridegrid.driver.v1.DriverService/WatchOffers`, driverToken, {}),
  ];
  const offerId = await offerFor(driving.call, 30_000);
  await driver("AcceptOffer", { requestId: randomUUID(), offerId });
  await driver("ArriveAtPickup", { requestId: randomUUID(), rideId, location: pickup });
  const pin = String(rideIn(await rider("GetRide", { rideId }))["pin"]);
  await refused(driver("StartRide", { requestId: randomUUID(), rideId, pin: pin === "0000" ? "0001" : "0000" }));
  await driver("StartRide", { requestId: randomUUID(), rideId, pin });
  await driver("CompleteRide", { requestId: randomUUID(), rideId });
  await eventually(async () => rideIn(await rider("GetRide", { rideId }))["status"] === "RIDE_STATUS_COMPLETED", {
    timeoutMs: 10_000,
    what: "a completed ride",
  });
  await driving.goHome();
  for (const open of watched) await open.then((close) => close());
  return { secrets: [riderToken, driverToken, ...[riderToken, driverToken].map(signatureOf)], pinLeaks: (seen) => pinLeaks(pin, seen) };
}

/** Where each secret was found, in words. */
export function secretsIn(seen: Readonly<Record<string, string>>, secrets: readonly string[]): readonly string[] {
  return Object.entries(seen).flatMap(([where, text]) => secrets.flatMap((secret) => (text.includes(secret) ? [`${where}: ${around(text, secret)}`] : [])));
}

function around(text: string, secret: string): string {
  const at = text.indexOf(secret);
  return text.slice(Math.max(0, at - 120), at + secret.length + 40);
}

async function failures(url: string, rider: Call, token: string): Promise<void> {
  const stranger = callsWith(url, "rider.v1.RiderService", strangersToken);
  await refused(stranger("GetRide", { rideId: randomUUID() }));
  await refused(rider("GetRide", { rideId: riderName }));
  await refused(rider("GetRide", { rideId: randomUUID() }));
  await refused(rider("QuoteFare", { pickup, dropoff: { latitude: 400.75491, longitude: 73.98408 }, seats: 1 }));
  await refused(rider("QuoteFare", { pickup: { ...pickup, [plate]: 1 } }));
  await refused(rider("RequestRide", { requestId: randomUUID(), quoteId: plate }));
  for (const trace of [`00-${plate}`, `00-${"0".repeat(32)}-${"0".repeat(16)}-01`])
    await fetch(`${url}/ridegrid.rider.v1.RiderService/QuoteFare`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        authorization: `Bearer ${token}`,
        traceparent: trace,
        tracestate: `planted=${plate}`,
        "user-agent": riderName,
      },
      body: `{"pickup": "${plate}`,
    });
}

function callsWith(url: string, service: string, token: string): Call {
  return async (method, body) => {
    const response = await fetch(`${url}/ridegrid.${service}/${method}`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(20_000),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} answered ${response.status}: ${text}`);
    return JSON.parse(text) as Json;
  };
}

/** A stream that has shown its first message, and stays open until it is closed. */
async function watch(url: string, token: string, body: Json): Promise<() => void> {
  const message = Buffer.from(JSON.stringify(body));
  const envelope = Buffer.alloc(5);
  envelope.writeUInt32BE(message.byteLength, 1);
  const closing = new AbortController();
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/connect+json", authorization: `Bearer ${token}` },
    body: Buffer.concat([envelope, message]),
    signal: closing.signal,
  });
  const first = await response.body?.getReader().read();
  if (first?.value === undefined || first.value.byteLength < 6 || first.value[0] !== 0) throw new Error(`No message came from ${url}`);
  return () => closing.abort();
}

/** @throws when the call was answered: then it tests nothing. */
async function refused(call: Promise<unknown>): Promise<void> {
  const answered = await call.then(
    () => true,
    () => false,
  );
  if (answered) throw new Error("A call that must be refused was answered");
}

async function tokenOf(url: string, role: string, subject: string): Promise<string> {
  const response = await fetch(`${url}/dev/token`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ role, subject }),
  });
  const { token } = (await response.json()) as { readonly token: string };
  return token;
}

function signatureOf(token: string): string {
  return token.split(".").at(-1) ?? token;
}

function pinLeaks(pin: string, { lines, spans, metrics }: Parameters<PlantedRide["pinLeaks"]>[0]): readonly string[] {
  const word = new RegExp(`(?<![\\w.:-])${pin}(?![\\w.:-])`);
  const labels = [...metrics.matchAll(/="([^"]*)"/g)].map(([, value]) => value ?? "");
  const texts = [...lines.flatMap((line) => textsIn(JSON.parse(line))), ...spans.flatMap(({ name, attributes }) => [name, ...textsIn(attributes)]), ...labels];
  return texts.filter((text) => word.test(text));
}

/** Every string of a value, however deep; times are left out. */
function textsIn(value: unknown): readonly string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => (key === "time" ? [] : textsIn(inner)));
}
