/**
 * The development issuer: signs tokens with a key of its own and verifies them. One key serves a whole mesh, so a
 * token of one gateway is good at all; a mesh of many processes hands `privateJwk` to each.
 *
 * Never part of production: `createGateway` refuses it there.
 */
import type { Clock } from "@ridegrid/domain";
import { exportJWK, generateKeyPair, importJWK, type JWK, jwtVerify, SignJWT } from "jose";
import { type Identity, type PublicRole, tokenError, verifiedToken } from "./identity.ts";
import { developmentTokenTtlSeconds } from "./limits.ts";

export type TokenRequest = { readonly role: PublicRole; readonly subject: string; readonly ttlSeconds?: number };

export interface DevelopmentIssuer extends Identity {
  /** Gives another process the same keys; whoever has it can be anybody. */
  readonly privateJwk: JWK;
  issue(request: TokenRequest): Promise<string>;
}

export function isDevelopmentIssuer(identity: Identity): identity is DevelopmentIssuer {
  return "issue" in identity && "privateJwk" in identity;
}

const algorithm = "ES256";
const issuer = "https://development.ridegrid.dev";
const audience = "ridegrid";

export async function createDevelopmentIssuer({ clock, privateJwk }: { readonly clock: Clock; readonly privateJwk?: JWK }): Promise<DevelopmentIssuer> {
  const jwk = privateJwk ?? (await exportJWK((await generateKeyPair(algorithm, { extractable: true })).privateKey));
  const privateKey = await importJWK(jwk, algorithm);
  const { d: _, ...publicJwk } = jwk;
  const publicKey = await importJWK(publicJwk, algorithm);
  return {
    privateJwk: jwk,
    issue({ role, subject, ttlSeconds = developmentTokenTtlSeconds }) {
      const nowSeconds = Math.floor(clock.nowMs() / 1_000);
      return new SignJWT({ role })
        .setProtectedHeader({ alg: algorithm })
        .setSubject(subject)
        .setIssuer(issuer)
        .setAudience(audience)
        .setIssuedAt(nowSeconds)
        .setExpirationTime(nowSeconds + ttlSeconds)
        .sign(privateKey);
    },
    async verify(token) {
      try {
        const { payload } = await jwtVerify(token, publicKey, { issuer, audience, algorithms: [algorithm], currentDate: new Date(clock.nowMs()) });
        return verifiedToken(payload);
      } catch (error) {
        throw tokenError(error);
      }
    },
  };
}
