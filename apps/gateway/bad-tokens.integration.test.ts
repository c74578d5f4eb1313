/** Every public method with every wrong token: the documented code and reason, before anything else is looked at. */
import { expect, test } from "bun:test";
import type { DescMethod } from "@bufbuild/protobuf";
import { DriverService, OpsService, RiderService } from "@ridegrid/contracts";
import { exportJWK, generateKeyPair, importJWK, type JWTPayload, SignJWT } from "jose";
import { startGateway, type TestGateway } from "./gateway.fixture.ts";

const audience = "ridegrid";
const issuer = "https://development.ridegrid.dev";
const roles = ["rider", "driver", "operator", "viewer"] as const;

const methods = [RiderService, DriverService, OpsService].flatMap((service) => service.methods.filter(({ methodKind }) => methodKind !== "bidi_streaming"));

test("every method refuses every wrong token with its documented reason", async () => {
  await using gateway = await startGateway();
  const tokens = await wrongTokens(gateway);
  const wrong: string[] = [];
  let calls = 0;
  for (const method of methods) {
    for (const { what, token, expected } of tokens) {
      calls += 1;
      const answer = await reasonFrom(gateway, method, token);
      if (answer !== expected) wrong.push(`${method.parent.typeName}/${method.name} with ${what}: ${answer}, not ${expected}`);
    }
  }
  console.log(`${calls} calls of ${methods.length} methods with wrong tokens, ${wrong.length} answered wrongly`);
  expect(wrong).toEqual([]);
}, 60_000);

test("every method refuses every role but its own", async () => {
  await using gateway = await startGateway();
  const wrong: string[] = [];
  let calls = 0;
  for (const method of methods) {
    for (const role of roles.filter((one) => !mayCall(method, one))) {
      calls += 1;
      const answer = await reasonFrom(gateway, method, await gateway.token(role, `${role}-${calls}`));
      if (answer !== "permission_denied ROLE_NOT_ALLOWED") wrong.push(`${method.parent.typeName}/${method.name} as ${role}: ${answer}`);
    }
  }
  console.log(`${calls} calls with the wrong role, ${wrong.length} answered wrongly`);
  expect(wrong).toEqual([]);
}, 60_000);

/** A viewer may read what an operator may do. */
function mayCall(method: DescMethod, role: (typeof roles)[number]): boolean {
  if (method.parent.typeName === RiderService.typeName) return role === "rider";
  if (method.parent.typeName === DriverService.typeName) return role === "driver";
  return role === "operator" || (role === "viewer" && method.idempotency === 1);
}

async function wrongTokens(gateway: TestGateway) {
  const key = await importJWK(gateway.issuer.privateJwk, "ES256");
  const stranger = await importJWK(await exportJWK((await generateKeyPair("ES256", { extractable: true })).privateKey), "ES256");
  const nowSeconds = Math.floor(Date.now() / 1_000);
  const good: JWTPayload = { sub: "r-1", role: "rider", iss: issuer, aud: audience, iat: nowSeconds, exp: nowSeconds + 600 };
  const sign = (claims: JWTPayload, by = key): Promise<string> => new SignJWT(claims).setProtectedHeader({ alg: "ES256" }).sign(by);
  const invalid = "unauthenticated TOKEN_INVALID";
  return [
    { what: "no token", token: undefined, expected: "unauthenticated TOKEN_MISSING" },
    { what: "nonsense", token: "nonsense", expected: invalid },
    { what: "another issuer", token: await sign({ ...good, iss: "https://other.example" }), expected: invalid },
    { what: "another audience", token: await sign({ ...good, aud: "other" }), expected: invalid },
    { what: "a stranger's key", token: await sign(good, stranger), expected: invalid },
    { what: "a beginning in the future", token: await sign({ ...good, nbf: nowSeconds + 600 }), expected: invalid },
    { what: "an end in the past", token: await sign({ ...good, exp: nowSeconds - 600 }), expected: "unauthenticated TOKEN_EXPIRED" },
    { what: "an unknown role", token: await sign({ ...good, role: "king" }), expected: invalid },
  ];
}

/** Such as "unauthenticated TOKEN_MISSING". */
async function reasonFrom(gateway: TestGateway, method: DescMethod, token: string | undefined): Promise<string> {
  const streams = method.methodKind === "server_streaming";
  const response = await fetch(`${gateway.url}/${method.parent.typeName}/${method.name}`, {
    method: "POST",
    body: streams ? new Uint8Array([0, 0, 0, 0, 2, 0x7b, 0x7d]) : "{}",
    headers: {
      "content-type": streams ? "application/connect+json" : "application/json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
  });
  const text = await response.text();
  const code = /"code":"(\w+)"/.exec(text)?.[1] ?? String(response.status);
  return `${code} ${/"reason":"(\w+)"/.exec(text)?.[1] ?? text.slice(0, 100)}`;
}
