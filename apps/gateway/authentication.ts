/**
 * The gate of every public call: a token is asked for before a byte of the body is read, and its role must be one
 * that the service is for. What a viewer may call is what has no side effects.
 */
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { type ConnectError, createContextKey, type HandlerContext } from "@connectrpc/connect";
import { DriverService, OpsService, RiderService } from "@ridegrid/contracts";
import { apiError, type Awaitable, callerKey, methodName, type Role } from "@ridegrid/rpc";
import type { Identity, VerifiedToken } from "./identity.ts";

/** When the token of a stream ends, which does not outlive it. A unary call ends with its deadline. */
export const tokenExpiryKey = createContextKey<number | undefined>(undefined, { description: "token expiry, ms since the epoch" });

/** Why a call may not be made; undefined when it may. */
export type AuthenticationRefusal = { readonly error: unknown } | undefined;

export function authentication(identity: Identity): (context: HandlerContext) => Awaitable<AuthenticationRefusal> {
  return (context) => {
    // Health and reflection are for load balancers and tools, which have no token.
    if (!protectedServices.has(context.service.typeName)) return undefined;
    let verified: Awaitable<VerifiedToken>;
    try {
      verified = identity.verify(bearerToken(context.requestHeader));
    } catch (error) {
      return { error };
    }
    if (!(verified instanceof Promise)) return admitted(verified, context);
    return verified.then(
      (token) => admitted(token, context),
      (error: unknown) => ({ error }),
    );
  };
}

function admitted({ caller, expiresAtMs }: VerifiedToken, context: HandlerContext): AuthenticationRefusal {
  // Also of a caller that is refused: its calls are charged to it.
  context.values.set(callerKey, caller);
  if (context.method.methodKind !== "unary") context.values.set(tokenExpiryKey, expiresAtMs);
  return mayCall(caller.role, context) ? undefined : { error: roleNotAllowed(caller.role, context) };
}

function roleNotAllowed(role: Role, { method }: HandlerContext): ConnectError {
  return apiError("ROLE_NOT_ALLOWED", `Cannot call ${methodName(method)} with the role "${role}"`, { role });
}

const protectedServices: ReadonlySet<string> = new Set([RiderService.typeName, DriverService.typeName, OpsService.typeName]);

const scheme = "Bearer ";

function bearerToken(headers: Headers): string {
  const header = headers.get("authorization");
  // Nearly every header. A regular expression costs, over a token's hundreds of characters, as much as the rest of the gate.
  if (header?.startsWith(scheme) === true && header.indexOf(" ", scheme.length) < 0) return header.slice(scheme.length);
  if (header === null || header.trim() === "") throw apiError("TOKEN_MISSING", 'The call needs a header "authorization: Bearer <token>"');
  const token = /^Bearer +(\S+) *$/i.exec(header)?.[1];
  if (token === undefined) throw apiError("TOKEN_INVALID", 'The header "authorization" must be "Bearer <token>"');
  return token;
}

function mayCall(role: Role, { service, method }: HandlerContext): boolean {
  switch (service.typeName) {
    case RiderService.typeName:
      return role === "rider";
    case DriverService.typeName:
      return role === "driver";
    default:
      return role === "operator" || (role === "viewer" && method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS);
  }
}
