/** Which code the library answered a call with that it ended before any interceptor, in whichever protocol it said so. */
import { Code } from "@connectrpc/connect";
import { createAsyncIterable, type UniversalServerResponse } from "@connectrpc/connect/protocol";

export type LibraryRefusal = {
  readonly code: Code | undefined;
  /** The same answer, its body read. */
  readonly response: UniversalServerResponse;
};

export async function libraryRefusal(response: UniversalServerResponse): Promise<LibraryRefusal> {
  const body = Buffer.concat(await Array.fromAsync(response.body ?? []));
  return { code: codeOf(response, body), response: { ...response, body: createAsyncIterable<Uint8Array>(body.byteLength === 0 ? [] : [body]) } };
}

function codeOf({ status, header, trailer }: UniversalServerResponse, body: Buffer): Code | undefined {
  if (status === 429) return Code.ResourceExhausted;
  if (status === 501) return Code.Unimplemented;
  // gRPC's trailers are known once the body is read; gRPC-Web's are its last part.
  const given = new Headers(trailer).get("grpc-status") ?? new Headers(header).get("grpc-status") ?? /grpc-status: ?(\d+)/i.exec(body.toString("latin1"))?.[1];
  const code = Number(given ?? 0);
  return Code[code] === undefined ? undefined : code;
}
