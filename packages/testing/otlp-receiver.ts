/**
 * A collector for tests: takes traces as OTLP protobuf over HTTP and reads the wire format by hand, field by field of
 * `opentelemetry.proto.trace.v1`, so that it shares no code with the exporter it checks.
 */
import { gunzipSync } from "node:zlib";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import type { SeenSpan } from "./test-tracing.ts";

export interface OtlpReceiver {
  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  readonly endpoint: string;
  spans(): readonly SeenSpan[];
  /** Every body as it came, one character a byte: for tests that look for what must not be there. */
  raw(): string;
  readonly headers: readonly Headers[];
  stop(): Promise<void>;
}

export function startOtlpReceiver(): OtlpReceiver {
  const spans: SeenSpan[] = [];
  const bodies: string[] = [];
  const headers: Headers[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      if (new URL(request.url).pathname !== "/v1/traces") return new Response(null, { status: 404 });
      if (request.headers.get("content-type") !== "application/x-protobuf") return new Response(null, { status: 415 });
      const received = await request.bytes();
      const body = request.headers.get("content-encoding") === "gzip" ? gunzipSync(received) : received;
      headers.push(request.headers);
      bodies.push(Buffer.from(body).toString("latin1"));
      spans.push(...spansIn(body));
      return new Response(new Uint8Array(0), { headers: { "content-type": "application/x-protobuf" } });
    },
  });
  return { endpoint: `http://127.0.0.1:${server.port}`, spans: () => spans, raw: () => bodies.join("\n"), headers, stop: () => server.stop(true) };
}

type Field = Uint8Array | bigint;

/** A message's fields by number, each as often as it came. */
function fieldsOf(bytes: Uint8Array): ReadonlyMap<number, readonly Field[]> {
  const reader = new BinaryReader(bytes);
  const fields = new Map<number, Field[]>();
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    const value = readField(reader, type);
    fields.set(number, [...(fields.get(number) ?? []), value]);
  }
  return fields;
}

function readField(reader: BinaryReader, type: WireType): Field {
  switch (type) {
    case WireType.LengthDelimited:
      return reader.bytes();
    case WireType.Varint:
      return BigInt(reader.uint64());
    case WireType.Bit64:
      return BigInt(reader.fixed64());
    case WireType.Bit32:
      return BigInt(reader.fixed32());
    default:
      throw new Error(`Cannot read a field of wire type ${type}`);
  }
}

function messages(bytes: Uint8Array, field: number): readonly Uint8Array[] {
  return (fieldsOf(bytes).get(field) ?? []).filter((value) => value instanceof Uint8Array);
}

function text(bytes: Uint8Array, field: number): string {
  return Buffer.from(messages(bytes, field)[0] ?? []).toString("utf8");
}

function hex(bytes: Uint8Array, field: number): string {
  return Buffer.from(messages(bytes, field)[0] ?? []).toString("hex");
}

function spansIn(body: Uint8Array): readonly SeenSpan[] {
  return messages(body, 1).flatMap((resourceSpans) => {
    const resource = attributesIn(messages(resourceSpans, 1)[0] ?? new Uint8Array(), 1);
    return messages(resourceSpans, 2).flatMap((scopeSpans) => messages(scopeSpans, 2).map((span) => spanFrom(span, String(resource["service.name"]))));
  });
}

function spanFrom(span: Uint8Array, service: string): SeenSpan {
  const kind = fieldsOf(span).get(6)?.[0];
  return {
    name: text(span, 5),
    // On the wire 0 is "unspecified" and the kinds begin at 1.
    kind: Number(kind ?? 0n) - 1,
    traceId: hex(span, 1),
    spanId: hex(span, 2),
    parentSpanId: hex(span, 4),
    links: messages(span, 13).map((link) => ({ traceId: hex(link, 1), spanId: hex(link, 2) })),
    attributes: attributesIn(span, 9),
    status: Number(fieldsOf(messages(span, 15)[0] ?? new Uint8Array()).get(3)?.[0] ?? 0n),
    service,
  };
}

/** Strings and numbers; nothing of ours has another type. */
function attributesIn(message: Uint8Array, field: number): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    messages(message, field).map((pair) => {
      const value = messages(pair, 2)[0] ?? new Uint8Array();
      const number = fieldsOf(value).get(3)?.[0];
      return [text(pair, 1), typeof number === "bigint" ? Number(number) : text(value, 1)];
    }),
  );
}
