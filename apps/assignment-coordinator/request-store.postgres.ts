/**
 * Request ids in the ride's own transaction: the first answer again, or a refusal to apply one id to two bodies.
 *
 * A transaction-scoped advisory lock on the id tells at once whether a twin is in flight; the primary key is what
 * guards. Refusals that changed nothing are not stored.
 */
import type { Refusal } from "@ridegrid/domain";
import type { Queryable } from "@ridegrid/eventlog";
import { apiError } from "@ridegrid/rpc";
import { lockWaitMs } from "./limits.ts";
import type { RequestKey } from "./request-key.ts";
import type { Outcome } from "./ride-store.ts";
import type { Write } from "./write-together.ts";

type RequestRow = { fingerprint: Uint8Array; answer: Uint8Array; refusal: Refusal | null };

/** What a statement of the claim's own round trip asks, so that it locks nothing for a request that is not to be applied. */
export const claimedSql = "current_setting('ridegrid.claimed') = 'true'";

/** The first outcome of this id, or null for a new one. One round trip. @throws REQUEST_IN_FLIGHT or REQUEST_ID_REUSED. */
export async function claimRequest(tx: Queryable, key: RequestKey): Promise<Outcome | null> {
  const { principal, method, requestId } = key;
  const name = JSON.stringify([principal, method, requestId]);
  const [locks, rows] = await Promise.all([
    tx<{ free: string }[]>`
      SELECT set_config('ridegrid.claimed', pg_try_advisory_xact_lock(hashtextextended(${name}, 0))::text, true) AS free,
        set_config('lock_timeout', ${String(lockWaitMs)}, true)`,
    tx<RequestRow[]>`
      SELECT fingerprint, answer, refusal, set_config('ridegrid.claimed', 'false', true)
      FROM request WHERE principal = ${principal} AND method = ${method} AND request_id = ${requestId}`,
  ]);
  const stored = rows[0];
  if (stored !== undefined) {
    if (Buffer.compare(stored.fingerprint, key.fingerprint) === 0) return stored.refusal ?? { kind: "answered", answer: stored.answer };
    throw apiError("REQUEST_ID_REUSED", `Cannot apply ${method}: request id "${requestId}" was used before with another body`);
  }
  if (locks[0]?.free !== "true") throw apiError("REQUEST_IN_FLIGHT", `Cannot apply ${method} yet: request id "${requestId}" is being worked on`);
  return null;
}

const outcomeSql = `
  INSERT INTO request (principal, method, request_id, fingerprint, answer, refusal) VALUES ($1, $2, $3, $4, $5, $6::text::jsonb)`;

export function writeOfOutcome(key: RequestKey, outcome: Outcome): Write {
  const answer = outcome.kind === "answered" ? outcome.answer : new Uint8Array();
  const refusal = outcome.kind === "answered" ? null : JSON.stringify(outcome);
  return { name: "outcome", sql: outcomeSql, values: [key.principal, key.method, key.requestId, key.fingerprint, answer, refusal] };
}
