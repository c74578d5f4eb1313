/**
 * Every reason an API error can carry, with its Connect code and what it means: the one table between refusals and
 * the wire. The error reference in `docs/` is generated from it.
 */
import { Code } from "@connectrpc/connect";

type ReasonRow = {
  readonly code: Code;
  readonly doc: string;
  /** What `google.rpc.RetryInfo` says when the thrower says nothing; absent where repeating cannot help. */
  readonly retryDelayMs?: number;
};

export const apiReasons = {
  TOKEN_MISSING: { code: Code.Unauthenticated, doc: "The call has no bearer token." },
  TOKEN_INVALID: { code: Code.Unauthenticated, doc: "The token was not issued for this platform, or names no known role." },
  TOKEN_EXPIRED: { code: Code.Unauthenticated, doc: "The token has expired; a stream ends with this when its token does." },
  ROLE_NOT_ALLOWED: { code: Code.PermissionDenied, doc: "The token's role may not call this method." },
  RIDE_NOT_FOUND: { code: Code.NotFound, doc: "There is no such ride, or it is another person's." },
  OFFER_NOT_FOUND: { code: Code.NotFound, doc: "There is no such offer, or it was made to another driver." },
  QUOTE_NOT_FOUND: { code: Code.NotFound, doc: "There is no such quote, or it was made for another rider." },
  SERVICE_NOT_FOUND: { code: Code.NotFound, doc: "A health check names a service that is not here." },
  FIELD_INVALID: { code: Code.InvalidArgument, doc: "The message breaks a rule of its schema; `field` is the path of the first field that does." },
  REQUEST_ID_REUSED: { code: Code.InvalidArgument, doc: "The request id was used before with another body." },
  WRONG_PIN: { code: Code.InvalidArgument, doc: "The PIN is not the ride's." },
  OUTSIDE_SERVICE_AREA: { code: Code.FailedPrecondition, doc: "The place lies in no market." },
  QUOTE_EXPIRED: { code: Code.FailedPrecondition, doc: "The quote has expired; ask for a new one." },
  QUOTE_USED: { code: Code.FailedPrecondition, doc: "The quote has already made a ride." },
  RIDE_ALREADY_OPEN: { code: Code.FailedPrecondition, doc: "The rider has a ride that has not ended." },
  OFFER_EXPIRED: { code: Code.FailedPrecondition, doc: "The offer's time was up." },
  OFFER_WITHDRAWN: { code: Code.FailedPrecondition, doc: "The ride ended before the offer was answered." },
  RIDE_STATE: { code: Code.FailedPrecondition, doc: "The ride's state does not allow this; `status` is where it stands." },
  DRIVER_OFFLINE: { code: Code.FailedPrecondition, doc: "The driver is not on shift." },
  DRIVER_ON_RIDE: { code: Code.FailedPrecondition, doc: "The driver is on a ride." },
  TOO_FAR: { code: Code.FailedPrecondition, doc: "The driver is too far from the pickup." },
  PIN_LOCKED: { code: Code.FailedPrecondition, doc: "Too many wrong PINs; an operator can unlock the ride." },
  REGION_DRAINING: { code: Code.FailedPrecondition, doc: "The market's region takes no new rides and shifts." },
  REQUEST_IN_FLIGHT: { code: Code.Aborted, doc: "The same request id is being worked on.", retryDelayMs: 200 },
  SUPERSEDED: { code: Code.Aborted, doc: "A newer stream of the same caller took this one's place." },
  RATE_LIMITED: { code: Code.ResourceExhausted, doc: "The caller is over its rate.", retryDelayMs: 1_000 },
  TOO_LARGE: { code: Code.ResourceExhausted, doc: "The body is over the limit; `max_bytes` is the limit.", retryDelayMs: 0 },
  OVERLOADED: { code: Code.Unavailable, doc: "The platform has more work than it can take now.", retryDelayMs: 1_000 },
  DRAINING: { code: Code.Unavailable, doc: "This process is stopping; another one answers.", retryDelayMs: 500 },
  DEPENDENCY_AWAY: { code: Code.Unavailable, doc: "Something this call needs did not answer.", retryDelayMs: 1_000 },
  DEADLINE_EXCEEDED: { code: Code.DeadlineExceeded, doc: "The call's deadline passed; whether it took effect is unknown." },
  CANCELED: { code: Code.Canceled, doc: "The caller canceled the call." },
  UNIMPLEMENTED: { code: Code.Unimplemented, doc: "There is no such method, or it is not live yet." },
  INTERNAL: { code: Code.Internal, doc: "A fault of the platform; its log says what." },
} as const satisfies Record<string, ReasonRow>;

export type ApiReason = keyof typeof apiReasons;

export function isApiReason(reason: string): reason is ApiReason {
  return Object.hasOwn(apiReasons, reason);
}

export function reasonRow(reason: ApiReason): ReasonRow {
  return apiReasons[reason];
}
