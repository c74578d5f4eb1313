/** Who an agent is: a subject with a token, asked for when first needed and renewed before it expires. */
import type { Clock } from "./clock.ts";
import type { GatewayClient, Role } from "./gateway-client.ts";
import { tokenLifetimeMs, tokenMarginMs } from "./limits.ts";

export interface Identity {
  readonly subject: string;
  /** @throws when the gateway gives no token. */
  headers(): Promise<Record<string, string>>;
  /** Forgets the token: the platform refused it. */
  renew(): void;
}

type Held = { readonly headers: Record<string, string>; readonly renewAtMs: number };

export function createIdentity({
  gateway,
  clock,
  role,
  subject,
}: {
  readonly gateway: GatewayClient;
  readonly clock: Clock;
  readonly role: Role;
  readonly subject: string;
}): Identity {
  let held: Held | null = null;
  let asking: Promise<Held> | null = null;
  async function ask(): Promise<Held> {
    try {
      const token = await gateway.mintToken(role, subject);
      held = { headers: { authorization: `Bearer ${token}` }, renewAtMs: renewTime(token, clock.nowMs()) };
      return held;
    } finally {
      asking = null;
    }
  }
  return {
    subject,
    async headers() {
      if (held !== null && clock.nowMs() < held.renewAtMs) return held.headers;
      return (await (asking ??= ask())).headers;
    },
    renew() {
      held = null;
    },
  };
}

/** A margin before the token's own `exp`; a client may read it and trusts nothing else in it. */
function renewTime(token: string, nowMs: number): number {
  const lifetimeMs = (expiresAtMs(token) ?? nowMs + tokenLifetimeMs) - nowMs;
  // A token of a minute or two would otherwise be renewed at every call.
  return nowMs + Math.max(lifetimeMs - tokenMarginMs, lifetimeMs / 2);
}

function expiresAtMs(token: string): number | null {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
    return typeof claims === "object" && claims !== null && "exp" in claims && typeof claims.exp === "number" ? claims.exp * 1_000 : null;
  } catch {
    return null;
  }
}
