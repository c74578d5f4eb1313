/** What a failed call means to a client: a refusal that stands, a token to renew, or something that may pass. */
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema, RetryInfoSchema } from "@ridegrid/contracts/gen/google/rpc/error_details_pb";

export type Failure =
  | { readonly kind: "refused"; readonly reason: string; readonly message: string }
  | { readonly kind: "token"; readonly reason: string }
  /** `delayMs` is what the platform asked for, 0 when it did not say. */
  | { readonly kind: "passing"; readonly reason: string; readonly delayMs: number };

/** Codes that say "not so" whatever is tried again. Everything else, a broken connection too, may pass. */
const refusals: ReadonlySet<Code> = new Set([
  Code.InvalidArgument,
  Code.NotFound,
  Code.AlreadyExists,
  Code.PermissionDenied,
  Code.FailedPrecondition,
  Code.OutOfRange,
  Code.Unimplemented,
]);

export function failureOf(error: unknown): Failure {
  if (!(error instanceof ConnectError)) return { kind: "passing", reason: "CONNECTION", delayMs: 0 };
  const reason = error.findDetails(ErrorInfoSchema)[0]?.reason ?? Code[error.code];
  if (error.code === Code.Unauthenticated) return { kind: "token", reason };
  if (refusals.has(error.code)) return { kind: "refused", reason, message: error.rawMessage };
  const wait = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return { kind: "passing", reason, delayMs: wait === undefined ? 0 : Number(wait.seconds) * 1_000 + wait.nanos / 1e6 };
}
