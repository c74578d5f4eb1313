/** Requests as clients, strangers and broken proxies send them: mostly plain ones, with anything about them odd now and then. */
import { create, toBinary } from "@bufbuild/protobuf";
import { CancelRideRequestSchema, GetRideRequestSchema, QuoteFareRequestSchema } from "@ridegrid/contracts/gen/rider/v1/rider_service_pb";
import type { Random } from "@ridegrid/domain";

export type OddRequest = {
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
  /** Sent without a length. */
  readonly isChunked: boolean;
};

type Message = { readonly method: string; readonly json: string; readonly proto: Uint8Array };

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

export function oddRequest(random: Random): OddRequest {
  const message = pick(random, [getRide, getRide, quoteFare, cancelRide])(random);
  const isBinary = chance(random, 0.4);
  const method = pick(random, [...Array<string>(60).fill("POST"), "GET", "PUT", "OPTIONS", "HEAD"]);
  const body = mangled(random, isBinary ? message.proto : text(message.json));
  const encoding = chance(random, 0.08) ? pick(random, ["identity", "gzip", "br", "zstd"]) : undefined;
  const headers: Record<string, string> = {
    "x-echo": pick(random, ["a", "b", "a, b", ""]),
    authorization: chance(random, 0.06) ? pick(random, ["Bearer nobody", "", "Basic x"]) : "Bearer rider",
    ...maybe(random, 0.97, "content-type", chance(random, 0.08) ? oddContentType(random) : isBinary ? "application/proto" : "application/json"),
    ...(encoding === undefined ? {} : { "content-encoding": encoding }),
    ...maybe(random, 0.3, "accept-encoding", pick(random, ["gzip", "identity", "gzip, br", "*"])),
    ...maybe(random, 0.7, "connect-protocol-version", pick(random, ["1", "1", "1", "1", "1", "1", "1", "1", "2", "v1"])),
    ...maybe(random, 0.2, "connect-timeout-ms", pick(random, ["10000", "600000", "9999999999", "0", "soon", "-1", "1e4", "00010000", "12345678901"])),
    ...maybe(random, 0.1, "trailer-x-odd", "yes"),
    ...maybe(random, 0.1, "grpc-timeout", "10S"),
  };
  const hasBody = method === "POST" || method === "PUT";
  return {
    path: `/ridegrid.rider.v1.RiderService/${message.method}${chance(random, 0.06) ? pick(random, ["?connect=v1&encoding=json", "/x"]) : ""}`,
    method,
    headers,
    body: hasBody ? (encoding === "gzip" && chance(random, 0.7) ? Bun.gzipSync(Uint8Array.from(body)) : body) : undefined,
    isChunked: hasBody && chance(random, 0.05),
  };
}

function oddContentType(random: Random): string {
  return pick(random, [
    "application/json; charset=utf-8",
    "application/json;charset=utf8",
    "application/json; charset=utf-16",
    "Application/JSON",
    "application/proto; x=y",
    "application/x-protobuf",
    "application/connect+json",
    "application/grpc",
    "application/grpc-web+proto",
    "application/grpc-web-text",
    "text/plain",
    "application/json, application/proto",
  ]);
}

/** The last digit of the ride's id says what its handler does. */
function getRide(random: Random): Message {
  const rideId = chance(random, 0.1)
    ? pick(random, ["", "no-uuid", "0199c0de\0", "é".repeat(20)])
    : `0199c0de-0000-7000-8000-00000000000${Math.floor(random.next() * 10)}`;
  const minVersion = pick(random, [0n, 0n, 1n, -1n, 2n ** 62n]);
  const json = pick(random, [
    JSON.stringify({ rideId, minVersion: String(minVersion) }),
    JSON.stringify({ ride_id: rideId, min_version: Number(minVersion) }),
    JSON.stringify({ rideId, shoeSize: 43 }),
    JSON.stringify({ rideId, minVersion: "x" }),
    `{"rideId":"${rideId.replace("\0", "\\u0000")}","rideId":"0199c0de-0000-7000-8000-000000000000"}`,
    `\uFEFF${JSON.stringify({ rideId })}`,
  ]);
  return { method: "GetRide", json, proto: toBinary(GetRideRequestSchema, create(GetRideRequestSchema, { rideId, minVersion })) };
}

function quoteFare(random: Random): Message {
  const pickup = { latitude: pick(random, [40.75, -33.8, 91, 0]), longitude: pick(random, [-73.9, 181, 0]) };
  const dropoff = chance(random, 0.1) ? undefined : { latitude: 40.7, longitude: -73.9 };
  const seats = pick(random, [0, 1, 8, 9, -1]);
  const json = pick(random, [
    JSON.stringify({ pickup, dropoff, seats }),
    JSON.stringify({ pickup: { latitude: "north" }, dropoff }),
    JSON.stringify({ pickup: [], dropoff }),
    JSON.stringify({ pickup: null, dropoff }),
    JSON.stringify({ pickup: { ...pickup, latitude: "NaN" }, dropoff, seats: 1.5 }),
    JSON.stringify({ pickup, dropoff, seats: "2" }),
  ]);
  const init = { pickup, seats, ...(dropoff === undefined ? {} : { dropoff }) };
  return { method: "QuoteFare", json, proto: toBinary(QuoteFareRequestSchema, create(QuoteFareRequestSchema, init)) };
}

function cancelRide(random: Random): Message {
  const ids = { requestId: "0199c0de-0000-4000-8000-0000000000ff", rideId: "0199c0de-0000-7000-8000-000000000000" };
  const reason = pick(random, [1, 2, 0, 99, "CANCEL_REASON_RAIN", "CANCEL_REASON_UNSPECIFIED", null, "2", 1.5]);
  const proto = toBinary(CancelRideRequestSchema, create(CancelRideRequestSchema, { ...ids, reason: typeof reason === "number" ? Math.floor(reason) : 1 }));
  return { method: "CancelRide", json: JSON.stringify({ ...ids, reason }), proto };
}

function mangled(random: Random, body: Uint8Array): Uint8Array {
  if (chance(random, 0.8)) return body;
  const at = Math.floor(random.next() * body.length);
  return pick<() => Uint8Array>(random, [
    () => (body.length === 0 ? body : body.with(at, Math.floor(random.next() * 256))),
    () => body.slice(0, at),
    () => Uint8Array.from([...body, 0xff]),
    () => new Uint8Array(0),
    () => text(pick(random, ["null", "[]", "7", '""', "{}", "{", "nonsense", " ", '{"rideId":}'])),
    () => Uint8Array.from([0, 0, 0, 0, body.length, ...body]),
    () => text(`{"rideId":"${"x".repeat(pick(random, [1_000, 70_000, 1_048_550, 1_048_576]))}"}`),
  ])();
}

function pick<T>(random: Random, options: readonly T[]): T {
  const option = options[Math.floor(random.next() * options.length)];
  if (option === undefined) throw new Error("Cannot pick from nothing");
  return option;
}

function chance(random: Random, share: number): boolean {
  return random.next() < share;
}

function maybe(random: Random, share: number, name: string, value: string): Readonly<Record<string, string>> {
  return chance(random, share) ? { [name]: value } : {};
}
