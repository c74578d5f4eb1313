/** Remembers verified tokens until they expire: a signature is checked once, not on each of a driver's positions. */
import type { Clock } from "@ridegrid/domain";
import { andThen, apiError } from "@ridegrid/rpc";
import { createBoundedMap } from "./bounded-map.ts";
import type { Identity, VerifiedToken } from "./identity.ts";
import { tokenBytesMax, tokensRememberedMax } from "./limits.ts";

export function rememberingIdentity(identity: Identity, clock: Clock): Identity {
  const verified = createBoundedMap<string, VerifiedToken>(tokensRememberedMax);
  return {
    verify(token) {
      if (token.length > tokenBytesMax) throw apiError("TOKEN_INVALID", `The token is longer than ${tokenBytesMax} bytes`);
      const known = verified.get(token);
      if (known !== undefined && known.expiresAtMs > clock.nowMs()) return known;
      // An expired one is verified again, which says so in the adapter's own terms.
      verified.delete(token);
      return andThen(identity.verify(token), (fresh) => {
        verified.set(token, fresh);
        return fresh;
      });
    },
  };
}
