/**
 * A request id as what it protects: who asked for which method, and a fingerprint of what was asked.
 *
 * Two requests with one id are the same command only when their fingerprints agree.
 */
import { createHash } from "node:crypto";
import { clone, type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import type { Caller } from "@ridegrid/rpc";

export type RequestKey = { readonly principal: string; readonly method: string; readonly requestId: string; readonly fingerprint: Uint8Array };

type WithRequestId = { requestId: string };

/** SHA-256 over the request's bytes without its id. */
export function requestKey<Desc extends DescMessage>(caller: Caller, method: string, schema: Desc, command: MessageShape<Desc> & WithRequestId): RequestKey {
  const body: MessageShape<Desc> & WithRequestId = Object.assign(clone(schema, command), { requestId: "" });
  const fingerprint = createHash("sha256").update(toBinary(schema, body)).digest();
  return { principal: caller.principal, method, requestId: command.requestId.toLowerCase(), fingerprint };
}
