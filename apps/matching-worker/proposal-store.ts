/** Where a tick's proposals are committed, in one transaction that only the holder of the market's lease can make. */
import type { Lease, OutboxRow } from "@ridegrid/eventlog";

export interface ProposalStore {
  /** "fenced": the lease has another epoch by now, and nothing was stored. A fault leaves the outcome unknown. */
  commit(lease: Lease, rows: readonly OutboxRow[]): Promise<"stored" | "fenced">;
}
