/**
 * `StreamPositions` by its two roads, pushed and through the library: the same requests, plain and odd, end alike. A
 * deadline is what sends an otherwise equal request down the library's road.
 */
import { describe, expect, test } from "bun:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@ridegrid/contracts";
import { StreamPositionsRequestSchema } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { connect } from "node:http2";
import { type Behind, durable, nyc, startGateway, type TestGateway } from "./gateway.fixture.ts";

type Wire = "native gRPC" | "Connect";
type Call = { readonly token?: string; readonly body: Buffer };

const ingest: NonNullable<Behind["ingest"]> = () => ({
  async *forwardPositions(requests) {
    for await (const page of requests) yield durable(page);
  },
});

const envelope = (message: Uint8Array, flags = 0): Buffer => {
  const head = Buffer.alloc(5);
  head.writeUInt8(flags, 0);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
};
const position = (sequence: bigint, location: Partial<typeof nyc> | undefined = nyc) =>
  toBinary(
    StreamPositionsRequestSchema,
    create(StreamPositionsRequestSchema, { sequence, accuracyM: 5, observeTime: timestampFromMs(Date.now()), ...(location && { location }) }),
  );
const good = envelope(position(1n));

const cases: readonly { readonly what: string; readonly body: Buffer; readonly role?: "driver" | "rider" | "nobody"; readonly ends: string }[] = [
  { what: "positions that are taken", body: Buffer.concat([good, envelope(position(2n)), envelope(position(3n))]), ends: "ok" },
  { what: "nothing at all", body: Buffer.alloc(0), ends: "ok" },
  { what: "a position that lies nowhere", body: envelope(position(1n, { latitude: 0, longitude: 0 })), ends: "ok" },
  { what: "a message with a field nobody knows", body: envelope(Buffer.concat([position(1n), Buffer.from([0x78, 1])])), ends: "ok" },
  { what: "no token", body: good, role: "nobody", ends: "TOKEN_MISSING" },
  { what: "a rider's token", body: good, role: "rider", ends: "ROLE_NOT_ALLOWED" },
  { what: "a negative sequence", body: Buffer.concat([good, envelope(position(-1n))]), ends: "FIELD_INVALID" },
  { what: "no time", body: envelope(Buffer.from([0x08, 1])), ends: "FIELD_INVALID" },
  { what: "bytes that are no message", body: envelope(Buffer.from([0x0f, 0xff, 0xff])), ends: "FIELD_INVALID" },
  { what: "a message of 2 MiB", body: envelope(Buffer.alloc(2 * 1_048_576)), ends: "TOO_LARGE" },
];

for (const wire of ["native gRPC", "Connect"] as const) {
  describe(`StreamPositions over ${wire}, pushed and through the library`, () => {
    for (const { what, body, role = "driver", ends } of cases) {
      test(`${what} ends with ${ends}`, async () => {
        await using gateway = await startGateway({ ingest });
        const token = role === "nobody" ? "" : await gateway.token(role, "d-1");
        const pushed = await exchange(gateway, wire, { body, token });
        const library = await exchange(gateway, wire, { body, token }, wire === "Connect" ? { "connect-timeout-ms": "20000" } : { "grpc-timeout": "20S" });
        expect(pushed).toEqual(library);
        expect(pushed.reason).toBe(ends);
      });
    }
  });
}

/** The last sequence and the rejected positions are told by the bytes of the last acknowledgement. */
type Outcome = { readonly httpStatus: unknown; readonly contentType: unknown; readonly code: string; readonly reason: string; readonly lastAnswer: string };

async function exchange(gateway: TestGateway, wire: Wire, { token, body }: Call, headers: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  const isGrpc = wire === "native gRPC";
  const session = connect(isGrpc ? `http://${gateway.gateway.grpcAddress}` : gateway.url);
  const stream = session.request({
    ":method": "POST",
    ":path": "/ridegrid.driver.v1.DriverService/StreamPositions",
    "content-type": isGrpc ? "application/grpc" : "application/connect+proto",
    ...(token === "" ? {} : { authorization: `Bearer ${token}` }),
    ...headers,
  });
  let status: Readonly<Record<string, unknown>> = {};
  let trailer: Readonly<Record<string, unknown>> = {};
  const chunks: Buffer[] = [];
  stream.on("response", (received) => (status = received));
  stream.on("trailers", (received) => (trailer = received));
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  // The answer's end: the library's road leaves what is too large unread, and the stream half open.
  const answered = new Promise<void>((resolve) =>
    stream
      .on("end", resolve)
      .on("close", resolve)
      .on("error", () => {}),
  );
  stream.end(body);
  await answered;
  session.destroy();
  const messages = messagesIn(Buffer.concat(chunks));
  const end = isGrpc ? { ...status, ...trailer } : JSON.parse(messages.pop() ?? "{}");
  return {
    httpStatus: status[":status"],
    contentType: status["content-type"],
    code: String(isGrpc ? end["grpc-status"] : (end.error?.code ?? "ok")),
    reason: reasonIn(
      isGrpc ? [String(end["grpc-status-details-bin"] ?? "")] : (end.error?.details ?? []).map(({ value }: { readonly value: string }) => value),
    ),
    lastAnswer: Buffer.from(messages.at(-1) ?? "").toString("hex"),
  };
}

function messagesIn(bytes: Buffer): string[] {
  const found: string[] = [];
  for (let at = 0; at + 5 <= bytes.length;) {
    const to = at + 5 + bytes.readUInt32BE(at + 1);
    found.push(bytes.toString("latin1", at + 5, to));
    at = to;
  }
  return found;
}

/** The reason of an encoded ErrorInfo; "ok" when there are no details. */
function reasonIn(details: readonly string[]): string {
  const text = details.map((detail) => Buffer.from(detail, "base64").toString("latin1")).join("");
  return text === "" ? "ok" : (/[A-Z][A-Z_]{5,}/.exec(text)?.[0] ?? "an error without a reason");
}
