/** A method's messages as JSON and as protobuf, read and written in one piece, by the options and with the errors of the library. */
import { type DescMethodUnary, fromBinary, fromJsonString, type Message, toBinary, toJsonString } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { contentTypeUnaryJson, contentTypeUnaryProto } from "@connectrpc/connect/protocol-connect";
import { binaryReader } from "./binary-reader.ts";
import { binaryWriter } from "./binary-writer.ts";
import { undecodable, unknownEnum } from "./body-refusal.ts";
import type { EdgeOptions } from "./edge-options.ts";
import { jsonReader } from "./json-reader.ts";

/** `Body`: how a request's body is taken from it. */
export type PlainCodec<Body> = {
  readonly responseHeader: Headers;
  read(request: Request): Promise<Body>;
  /** The message, or why there is none. */
  decode(body: Body): Message | ConnectError;
  /** @throws the library's own error */
  encode(message: Message): string | Uint8Array<ArrayBuffer>;
};

export function jsonCodec({ input, output }: DescMethodUnary, jsonOptions: EdgeOptions["jsonOptions"]): PlainCodec<string> {
  const readPlain = jsonOptions === undefined ? jsonReader(input) : undefined;
  const readOptions = { ignoreUnknownFields: true, ...jsonOptions };
  return {
    responseHeader: new Headers({ "content-type": contentTypeUnaryJson }),
    read: (request) => request.text(),
    decode(body) {
      const message = readPlain?.(body);
      if (message !== undefined) return message;
      const refusal = unknownEnum(input, () => body);
      if (refusal !== undefined) return refusal;
      try {
        return fromJsonString(input, body, readOptions);
      } catch {
        return undecodable(input, body);
      }
    },
    encode(message) {
      try {
        return toJsonString(output, message, jsonOptions);
      } catch (error) {
        throw ConnectError.from(error, Code.Internal);
      }
    },
  };
}

export function protoCodec({ input, output }: DescMethodUnary): PlainCodec<Uint8Array> {
  const [readPlain, writePlain] = [binaryReader(input), binaryWriter(output)];
  return {
    responseHeader: new Headers({ "content-type": contentTypeUnaryProto }),
    read: (request) => request.bytes(),
    decode(body) {
      try {
        return readPlain?.(body, 0, body.length) ?? fromBinary(input, body);
      } catch {
        return undecodable(input, undefined);
      }
    },
    encode(message) {
      try {
        return writePlain?.(message) ?? toBinary(output, message);
      } catch (error) {
        throw new ConnectError(`serialize binary: ${error instanceof Error ? error.message : String(error)}`, Code.Internal);
      }
    },
  };
}
