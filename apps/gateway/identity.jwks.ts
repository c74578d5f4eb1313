/** An issuer in production: its keys by JWKS, fetched when a token names one that is not known yet. */
import { apiError } from "@ridegrid/rpc";
import type { Clock } from "@ridegrid/domain";
import { createRemoteJWKSet, errors, jwtVerify } from "jose";
import { type Identity, tokenError, verifiedToken } from "./identity.ts";
import { issuerClockToleranceSeconds, jwksTimeoutMs } from "./limits.ts";

export type JwksIdentityOptions = { readonly url: string; readonly issuer: string; readonly audience: string; readonly clock: Clock };

export function createJwksIdentity({ url, issuer, audience, clock }: JwksIdentityOptions): Identity {
  const keys = createRemoteJWKSet(new URL(url), { timeoutDuration: jwksTimeoutMs });
  return {
    async verify(token) {
      try {
        // Asymmetric algorithms only: a public key must never be taken for a shared secret.
        const { payload } = await jwtVerify(token, keys, {
          issuer,
          audience,
          algorithms: ["ES256", "ES384", "RS256", "PS256", "EdDSA"],
          requiredClaims: ["sub", "exp"],
          clockTolerance: issuerClockToleranceSeconds,
          currentDate: new Date(clock.nowMs()),
        });
        return verifiedToken(payload);
      } catch (error) {
        throw isFetchFault(error)
          ? apiError("DEPENDENCY_AWAY", "Cannot check the token: its issuer cannot be reached", {}, undefined, error)
          : tokenError(error);
      }
    },
  };
}

/** `fetch` rejects with errors that are neither jose's nor ours. */
function isFetchFault(error: unknown): boolean {
  return error instanceof Error && !(error instanceof errors.JOSEError) && (error.name === "TypeError" || "code" in error) && error.name !== "ConnectError";
}
