/** An audit entry, written in the transaction of the act that it tells of. */
import type { AuditEntry } from "./audit.ts";
import type { Write } from "./write-together.ts";

const insertSql = `
  INSERT INTO audit_entry (audit_id, principal, method, reason, subject, before, after, create_time) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`;

export function writeOfAudit(auditId: string, { principal, method, reason, subject, before, after, atMs }: AuditEntry): Write {
  return { name: "audit", sql: insertSql, values: [auditId, principal, method, reason, subject, before, after, new Date(atMs).toISOString()] };
}
