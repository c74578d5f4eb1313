/**
 * Who a bearer token speaks for. Adapters: an issuer's published keys, and the development issuer.
 *
 * A verified token has a subject and one of the four public roles; nothing outside can be a service.
 */
import { apiError, type Awaitable, type Caller } from "@ridegrid/rpc";
import { errors, type JWTPayload } from "jose";
import { principalCharsMax } from "./limits.ts";

export type VerifiedToken = { readonly caller: Caller; readonly expiresAtMs: number };

export interface Identity {
  /** @throws TOKEN_INVALID, TOKEN_EXPIRED, or DEPENDENCY_AWAY when the issuer's keys cannot be read. */
  verify(token: string): Awaitable<VerifiedToken>;
}

const publicRoles = ["rider", "driver", "operator", "viewer"] as const;
export type PublicRole = (typeof publicRoles)[number];

export function isPublicRole(role: unknown): role is PublicRole {
  return publicRoles.some((each) => each === role);
}

export function isPrincipal(subject: unknown): subject is string {
  return typeof subject === "string" && subject.length > 0 && subject.length <= principalCharsMax && !subject.includes("\0") && subject.isWellFormed();
}

/** The claims of a token whose signature, issuer, audience and time are good. */
export function verifiedToken(claims: JWTPayload): VerifiedToken {
  const role = claims["role"];
  if (!isPrincipal(claims.sub)) throw apiError("TOKEN_INVALID", `The token's subject must have 1 to ${principalCharsMax} characters`);
  if (!isPublicRole(role)) throw apiError("TOKEN_INVALID", `The token's role must be one of ${publicRoles.join(", ")}`);
  if (claims.exp === undefined) throw apiError("TOKEN_INVALID", "The token does not expire");
  return { caller: { principal: claims.sub, role }, expiresAtMs: claims.exp * 1_000 };
}

/** What jose says about a token, in the API's words. */
export function tokenError(error: unknown): unknown {
  if (error instanceof errors.JWTExpired) return apiError("TOKEN_EXPIRED", "The token has expired", {}, undefined, error);
  if (error instanceof errors.JWKSTimeout)
    return apiError("DEPENDENCY_AWAY", "Cannot check the token: its issuer's keys did not come in time", {}, undefined, error);
  if (error instanceof errors.JOSEError) {
    // What jose throws when the key set itself answered an error.
    if (error.code === "ERR_JOSE_GENERIC") return apiError("DEPENDENCY_AWAY", "Cannot check the token: its issuer's keys cannot be read", {}, undefined, error);
    return apiError("TOKEN_INVALID", `The token is not valid: ${error.message}`, {}, undefined, error);
  }
  return error;
}
