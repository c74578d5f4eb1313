/**
 * Refusals and API reasons as Connect errors with `google.rpc.ErrorInfo`, and back.
 *
 * A handler throws what these make; nothing inside the platform knows a code or a status.
 */
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { rideStatusToWire } from "@ridegrid/contracts";
import { ErrorInfoSchema, RetryInfoSchema } from "@ridegrid/contracts/gen/google/rpc/error_details_pb";
import { RideStatus } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import type { Refusal } from "@ridegrid/domain";
import { type ApiReason, isApiReason, reasonRow } from "./api-reason.ts";

/** `ErrorInfo.domain` of every error of ours. */
export const errorDomain = "ridegrid.dev";

/** `retryDelayMs` overrides what the table says about repeating. */
export function apiError(
  reason: ApiReason,
  message: string,
  metadata: Readonly<Record<string, string>> = {},
  retryDelayMs?: number,
  cause?: unknown,
): ConnectError {
  const row = reasonRow(reason);
  const info = { desc: ErrorInfoSchema, value: create(ErrorInfoSchema, { reason, domain: errorDomain, metadata }) };
  const delayMs = retryDelayMs ?? row.retryDelayMs;
  if (delayMs === undefined) return new ConnectError(message, row.code, undefined, [info], cause);
  const retryDelay = { seconds: BigInt(Math.floor(delayMs / 1_000)), nanos: (delayMs % 1_000) * 1_000_000 };
  const retry = { desc: RetryInfoSchema, value: create(RetryInfoSchema, { retryDelay }) };
  return new ConnectError(message, row.code, undefined, [info, retry], cause);
}

/** @throws an ordinary error for a refusal that no client may see. */
export function refusalError(refusal: Refusal): ConnectError {
  const reason = refusal.reason.toUpperCase();
  if (!isApiReason(reason)) throw new Error(`Cannot show refusal "${refusal.reason}" to a client: ${refusal.message}`);
  const status = refusal.status === undefined ? undefined : rideStatusToWire(refusal.status);
  return apiError(reason, refusal.message, status === undefined ? {} : { status: `RIDE_STATUS_${RideStatus[status]}` });
}

/** What no layer mapped: an error that is none of the API's keeps its words to itself, as in the library. */
export function unmappedError(error: unknown): ConnectError {
  return error instanceof ConnectError ? error : new ConnectError("internal error", Code.Internal, undefined, undefined, error);
}

/** The reason of an error thrown here or received from a RideGrid service; undefined for anything else. */
export function reasonOf(error: unknown): ApiReason | undefined {
  const reason = errorInfo(error)?.reason;
  return reason !== undefined && isApiReason(reason) ? reason : undefined;
}

/** The dynamic values of such an error, such as `field` or `status`. */
export function errorMetadata(error: unknown): Readonly<Record<string, string>> {
  return errorInfo(error)?.metadata ?? {};
}

function errorInfo(error: unknown): { readonly reason: string; readonly metadata: Readonly<Record<string, string>> } | undefined {
  if (!(error instanceof ConnectError)) return undefined;
  // An error made here holds messages, one from the wire holds bytes; findDetails reads both.
  return error.findDetails(ErrorInfoSchema).find((info) => info.domain === errorDomain);
}
