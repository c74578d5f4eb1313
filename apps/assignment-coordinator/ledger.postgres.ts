/** Writes transfers in the transaction that made them due, all lines in one statement. */
import type { Transfer } from "./ledger.ts";
import type { Tx } from "./tx.ts";

export async function writeTransfers(tx: Tx, transfers: readonly Transfer[], nextId: () => string): Promise<void> {
  if (transfers.length === 0) return;
  const rows = transfers.flatMap((transfer) => linesOf(transfer, nextId()));
  await tx`
    INSERT INTO ledger_entry (transfer_id, line, account, currency_code, amount_minor, kind, ride_id, create_time)
    SELECT transfer_id, line, account, currency_code, amount_minor, kind, ride_id, create_time
    FROM jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) AS entry(
      transfer_id uuid, line integer, account text, currency_code text, amount_minor bigint, kind text, ride_id uuid, create_time timestamptz)`;
}

function linesOf({ kind, rideId, atMs, lines }: Transfer, transferId: string) {
  return lines.map(({ account, amount }, line) => ({
    transfer_id: transferId,
    line,
    account,
    currency_code: amount.currencyCode,
    amount_minor: amount.amountMinor,
    kind,
    ride_id: rideId,
    create_time: new Date(atMs),
  }));
}
