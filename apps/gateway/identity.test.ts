/** Identities: what a token must be to be believed, with an issuer that serves its keys over HTTP. */
import { describe, expect, test } from "bun:test";
import { type ApiReason, reasonOf } from "@ridegrid/rpc";
import { createManualClock } from "@ridegrid/testing";
import { base64url, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { createDevelopmentIssuer } from "./identity.development.ts";
import { createJwksIdentity } from "./identity.jwks.ts";
import { rememberingIdentity } from "./identity.remembering.ts";
import type { Identity } from "./identity.ts";
import { issuerClockToleranceSeconds } from "./limits.ts";

const nowMs = 1_800_000_000_000;
const nowSeconds = nowMs / 1_000;
const issuer = "https://issuer.example";
const audience = "ridegrid";
const good: JWTPayload = { sub: "r-1", role: "rider", iss: issuer, aud: audience, iat: nowSeconds, exp: nowSeconds + 60 };
const { exp: _, ...endless } = good;

describe("createJwksIdentity()", () => {
  test("believes a token of its issuer, for its audience, in its time", async () => {
    await using keys = await serveKeys();
    expect(await keys.identity.verify(await keys.sign(good))).toEqual({ caller: { principal: "r-1", role: "rider" }, expiresAtMs: nowMs + 60_000 });
  });

  const refused: Record<string, { readonly claims: JWTPayload; readonly reason: ApiReason }> = {
    "another issuer": { claims: { ...good, iss: "https://other.example" }, reason: "TOKEN_INVALID" },
    "another audience": { claims: { ...good, aud: "other" }, reason: "TOKEN_INVALID" },
    "a role of ours only": { claims: { ...good, role: "service" }, reason: "TOKEN_INVALID" },
    "no role": { claims: { ...good, role: undefined }, reason: "TOKEN_INVALID" },
    "an empty subject": { claims: { ...good, sub: "" }, reason: "TOKEN_INVALID" },
    "no end": { claims: endless, reason: "TOKEN_INVALID" },
    "a beginning in the future": { claims: { ...good, nbf: nowSeconds + 60 }, reason: "TOKEN_INVALID" },
    "an end in the past": { claims: { ...good, exp: nowSeconds - issuerClockToleranceSeconds - 1 }, reason: "TOKEN_EXPIRED" },
  };
  for (const [name, { claims, reason }] of Object.entries(refused)) {
    test(`refuses ${name}`, async () => {
      await using keys = await serveKeys();
      expect(await reasonFor(keys.identity, await keys.sign(claims))).toBe(reason);
    });
  }

  test("refuses what is unsigned, signed by a stranger, or signed with the public key as a secret", async () => {
    await using keys = await serveKeys();
    await using stranger = await serveKeys();
    const encode = (part: object): string => base64url.encode(JSON.stringify(part));
    expect(await reasonFor(keys.identity, `${encode({ alg: "none" })}.${encode(good)}.`)).toBe("TOKEN_INVALID");
    expect(await reasonFor(keys.identity, await stranger.sign(good))).toBe("TOKEN_INVALID");
    const confused = await new SignJWT(good).setProtectedHeader({ alg: "HS256", kid: "k1" }).sign(new TextEncoder().encode(JSON.stringify(keys.publicJwk)));
    expect(await reasonFor(keys.identity, confused)).toBe("TOKEN_INVALID");
    expect(await reasonFor(keys.identity, "not a token")).toBe("TOKEN_INVALID");
  });

  test("calls an issuer that is away, or answers nonsense, DEPENDENCY_AWAY", async () => {
    await using keys = await serveKeys();
    const token = await keys.sign(good);
    const gone = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("no", { status: 500 }) });
    const failing = identityAt(`http://127.0.0.1:${gone.port}/jwks`);
    expect(await reasonFor(failing, token)).toBe("DEPENDENCY_AWAY");
    await gone.stop(true);
    expect(await reasonFor(identityAt(`http://127.0.0.1:${gone.port}/jwks`), token)).toBe("DEPENDENCY_AWAY");
  });
});

test("rememberingIdentity() checks a token once, and no longer than it is good", async () => {
  const clock = createManualClock(nowMs);
  const issuerOfOurs = await createDevelopmentIssuer({ clock });
  let checks = 0;
  const identity = rememberingIdentity({ verify: (token) => (checks++, issuerOfOurs.verify(token)) }, clock);
  const token = await issuerOfOurs.issue({ role: "driver", subject: "d-1", ttlSeconds: 10 });
  for (let calls = 0; calls < 3; calls++) expect((await identity.verify(token)).caller).toEqual({ principal: "d-1", role: "driver" });
  expect(checks).toBe(1);
  clock.advance(10_000);
  expect(await reasonFor(identity, token)).toBe("TOKEN_EXPIRED");
  expect(await reasonFor(identity, "x".repeat(10_000))).toBe("TOKEN_INVALID");
});

test("createDevelopmentIssuer() with another's key takes its tokens, and a public part alone is not handed out", async () => {
  const clock = createManualClock(nowMs);
  const first = await createDevelopmentIssuer({ clock });
  const second = await createDevelopmentIssuer({ clock, privateJwk: first.privateJwk });
  expect((await second.verify(await first.issue({ role: "operator", subject: "o-1" }))).caller.role).toBe("operator");
  const third = await createDevelopmentIssuer({ clock });
  expect(await reasonFor(third, await first.issue({ role: "operator", subject: "o-1" }))).toBe("TOKEN_INVALID");
});

async function serveKeys() {
  const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
  const publicJwk = { ...(await exportJWK(publicKey)), kid: "k1", alg: "ES256" };
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => Response.json({ keys: [publicJwk] }) });
  return {
    publicJwk,
    identity: identityAt(`http://127.0.0.1:${server.port}/jwks`),
    sign: (claims: JWTPayload) => new SignJWT(claims).setProtectedHeader({ alg: "ES256", kid: "k1" }).sign(privateKey),
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

function identityAt(url: string): Identity {
  return createJwksIdentity({ url, issuer, audience, clock: createManualClock(nowMs) });
}

async function reasonFor(identity: Identity, token: string): Promise<ApiReason | undefined> {
  try {
    await identity.verify(token);
    return undefined;
  } catch (error) {
    const reason = reasonOf(error);
    if (reason === undefined) throw error;
    return reason;
  }
}
