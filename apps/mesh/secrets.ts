/**
 * The secrets of a development mesh, made once and kept in `DIR/secrets.json`, readable by their owner only.
 *
 * Kept, so that tokens and PINs given out before a restart stay good.
 */
import { chmodSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A private signing key, as JSON Web Key. */
export type Jwk = Readonly<Record<string, unknown>>;

export type Secrets = {
  readonly pinSecret: string;
  readonly meshToken: string;
  /** The development issuer's private key. */
  readonly issuerJwk: Jwk;
};

export async function ensureSecrets(directory: string): Promise<Secrets> {
  const kept = readSecrets(directory);
  if (kept !== undefined) return kept;
  const secrets = { pinSecret: randomSecret(), meshToken: randomSecret(), issuerJwk: await makeIssuerJwk() };
  const path = join(directory, "secrets.json");
  writeFileSync(`${path}.new`, JSON.stringify(secrets, null, 2), { mode: 0o600 });
  chmodSync(`${path}.new`, 0o600);
  renameSync(`${path}.new`, path);
  return secrets;
}

async function makeIssuerJwk(): Promise<Jwk> {
  const { privateKey } = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  // Only what makes the key: "key_ops" would keep its public half from verifying.
  const { kty, crv, x, y, d } = await crypto.subtle.exportKey("jwk", privateKey);
  return { kty, crv, x, y, d };
}

function readSecrets(directory: string): Secrets | undefined {
  try {
    const secrets: unknown = JSON.parse(readFileSync(join(directory, "secrets.json"), "utf8"));
    return isSecrets(secrets) ? secrets : undefined;
  } catch {
    return undefined;
  }
}

function isSecrets(value: unknown): value is Secrets {
  if (typeof value !== "object" || value === null) return false;
  if (!("pinSecret" in value && "meshToken" in value && "issuerJwk" in value)) return false;
  return typeof value.pinSecret === "string" && typeof value.meshToken === "string" && typeof value.issuerJwk === "object" && value.issuerJwk !== null;
}

function randomSecret(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url");
}
