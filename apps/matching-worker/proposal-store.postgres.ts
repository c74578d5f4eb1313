/**
 * Proposals into the outbox of schema `matching`, in a transaction that holds the lease's row in the epoch it was
 * gained with: a worker that slept through a takeover stores nothing.
 */
import { appendOutbox } from "@ridegrid/eventlog";
import type { Sql } from "@ridegrid/runtime";
import { fencedIdleMaxMs } from "./limits.ts";
import type { ProposalStore } from "./proposal-store.ts";

export function createPostgresProposalStore(sql: Sql): ProposalStore {
  return {
    commit: (lease, rows) =>
      sql.begin(async (tx) => {
        // A process that sleeps between here and its COMMIT would hold off the takeover: the server ends its session.
        const held = await tx`
          SELECT set_config('idle_in_transaction_session_timeout', ${String(fencedIdleMaxMs)}, true) FROM lease
          WHERE home_region = ${lease.homeRegion} AND consumer = ${lease.consumer} AND partition = ${lease.partition} AND owner = ${lease.owner} AND epoch = ${lease.epoch}
          FOR SHARE`;
        if (held.length === 0) return "fenced";
        await appendOutbox(tx, rows);
        return "stored";
      }),
  };
}
