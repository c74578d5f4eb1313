/** Writes an audit entry in the transaction of the act that it tells of. */
import type { AuditEntry } from "./audit.ts";
import type { Tx } from "./tx.ts";

export async function writeAudit(tx: Tx, auditId: string, entry: AuditEntry): Promise<void> {
  const { principal, method, reason, subject, before, after, atMs } = entry;
  await tx`
    INSERT INTO audit_entry (audit_id, principal, method, reason, subject, before, after, create_time)
    VALUES (${auditId}, ${principal}, ${method}, ${reason}, ${subject}, ${before}, ${after}, ${new Date(atMs)})`;
}
