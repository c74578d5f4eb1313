/** Cuts what comes of a stream into its messages, which gRPC and Connect frame alike: five bytes of flags and length, then the message. */
import { edgeBodyBytesMax } from "./limits.ts";
import { apiError } from "./refusal-error.ts";

export interface EnvelopeReader {
  /** Tells each message that is whole by its place in `bytes`, which is only lent. @throws TOO_LARGE, FIELD_INVALID */
  read(chunk: Uint8Array, take: (bytes: Uint8Array, from: number, to: number) => void): void;
  /** @throws FIELD_INVALID when the stream ended within a message. */
  end(): void;
}

const headBytes = 5;

/** Holds one incomplete message at most. */
export function createEnvelopeReader(): EnvelopeReader {
  let held: Uint8Array | undefined;
  return {
    read(chunk, take) {
      const bytes = held === undefined ? chunk : Buffer.concat([held, chunk]);
      let at = 0;
      while (bytes.length - at >= headBytes) {
        const to = at + headBytes + messageBytes(bytes, at);
        if (to > bytes.length) break;
        take(bytes, at + headBytes, to);
        at = to;
      }
      held = at === bytes.length ? undefined : Uint8Array.prototype.slice.call(bytes, at);
    },
    end() {
      if (held !== undefined) throw invalid("the stream ended within it");
    },
  };
}

function messageBytes(bytes: Uint8Array, at: number): number {
  const [flags = 0, first = 0, second = 0, third = 0, fourth = 0] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3], bytes[at + 4]];
  // No coding was agreed on, and only a server ends a stream with a message.
  if (flags !== 0) throw invalid(`its flags are ${flags}, and none was agreed on`);
  const length = first * 2 ** 24 + second * 2 ** 16 + third * 2 ** 8 + fourth;
  if (length > edgeBodyBytesMax) throw apiError("TOO_LARGE", `Cannot take a message of ${length} bytes: at most ${edgeBodyBytesMax}`);
  return length;
}

function invalid(why: string): Error {
  return apiError("FIELD_INVALID", `Cannot decode the message: ${why}`, { field: "body" });
}

/** One message in its frame. A `Buffer`, which streams take as it is; a view to write a length with would cost as much as all the rest. */
export function envelope(message: Uint8Array, flags = 0): Buffer {
  const bytes = Buffer.allocUnsafe(headBytes + message.length);
  bytes.writeUInt8(flags, 0);
  bytes.writeUInt32BE(message.length, 1);
  bytes.set(message, headBytes);
  return bytes;
}
