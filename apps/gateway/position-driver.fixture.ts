/** A driver's `StreamPositions` by plain HTTP/2, for tests that must decide when it reads, which no client library lets them. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@ridegrid/contracts";
import { StreamPositionsRequestSchema, type StreamPositionsResponse, StreamPositionsResponseSchema } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { type ClientHttp2Stream, connect } from "node:http2";
import { nyc, type TestGateway } from "./gateway.fixture.ts";

export type Wire = "native gRPC" | "Connect";
export type Place = { readonly latitude: number; readonly longitude: number };

export interface RawDriver {
  /** Several positions in one write, each with the next sequence. Resolves when the connection took them. */
  send(...places: readonly Place[]): Promise<void>;
  readonly sent: number;
  /** What the gateway said so far; nothing is read before `read`. */
  readonly answers: readonly StreamPositionsResponse[];
  readonly acked: number;
  /** gRPC's status or Connect's error code once the stream ended well or not: "" while it is open, "ok" without an error. */
  readonly status: string;
  /** What the end says beside its status. */
  readonly endText: string;
  read(): void;
  close(): void;
}

/** Longer than a day, for a gateway whose clock runs fast. */
const tokenTtlSeconds = 1e9;

export async function openRawDriver(gateway: TestGateway, wire: Wire, driver: string): Promise<RawDriver> {
  const isGrpc = wire === "native gRPC";
  const session = connect(isGrpc ? `http://${gateway.gateway.grpcAddress}` : gateway.url);
  session.on("error", () => {});
  const stream = session.request({
    ":method": "POST",
    ":path": "/ridegrid.driver.v1.DriverService/StreamPositions",
    "content-type": isGrpc ? "application/grpc" : "application/connect+proto",
    authorization: `Bearer ${await gateway.token("driver", driver, tokenTtlSeconds)}`,
    ...(isGrpc ? { te: "trailers" } : { "connect-protocol-version": "1" }),
  });
  stream.on("error", () => {});
  const state = { sent: 0, answers: new Array<StreamPositionsResponse>(), status: "", endText: "" };
  const end = (status: string, text: string): void => void Object.assign(state, { status, endText: text });
  stream.on("trailers", (trailers) => {
    const status = String(trailers["grpc-status"] ?? "");
    if (isGrpc) end(status === "0" ? "ok" : status, JSON.stringify(trailers));
  });
  return {
    send: (...places) =>
      new Promise((resolve, reject) => {
        const bytes = Buffer.concat(places.map((place) => envelope(++state.sent, place)));
        stream.write(bytes, (error) => (error ? reject(error) : resolve()));
      }),
    get sent() {
      return state.sent;
    },
    get answers() {
      return state.answers;
    },
    get acked() {
      return Number(state.answers.at(-1)?.ackedSequence ?? 0n);
    },
    get status() {
      return state.status;
    },
    get endText() {
      return state.endText;
    },
    read: () => readAnswers(stream, (answer) => state.answers.push(answer), end),
    close() {
      stream.close();
      session.destroy();
    },
  };
}

function readAnswers(stream: ClientHttp2Stream, take: (answer: StreamPositionsResponse) => void, end: (status: string, text: string) => void): void {
  let held = Buffer.alloc(0);
  stream.on("data", (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    for (let to = endOfEnvelope(held); to <= held.length; to = endOfEnvelope(held)) {
      const [flags, message] = [held.readUInt8(0), held.subarray(5, to)];
      held = held.subarray(to);
      if ((flags & 2) === 0) take(fromBinary(StreamPositionsResponseSchema, message));
      else end(/"code":"([a-z_]+)"/.exec(message.toString())?.[1] ?? "ok", message.toString());
    }
  });
}

function endOfEnvelope(bytes: Buffer): number {
  return bytes.length < 5 ? Number.POSITIVE_INFINITY : 5 + bytes.readUInt32BE(1);
}

function envelope(sequence: number, location: Place = nyc): Buffer {
  const request = { sequence: BigInt(sequence), location, accuracyM: 5, observeTime: timestampFromMs(Date.now()) };
  const message = toBinary(StreamPositionsRequestSchema, create(StreamPositionsRequestSchema, request));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
