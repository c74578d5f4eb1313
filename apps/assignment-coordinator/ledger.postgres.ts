/** Transfers, written in the transaction that made them due, all lines at once. */
import type { Transfer } from "./ledger.ts";
import type { Write } from "./write-together.ts";

const insertSql = `
  INSERT INTO ledger_entry (transfer_id, line, account, currency_code, amount_minor, kind, ride_id, create_time)
  SELECT transfer_id, line, account, currency_code, amount_minor, kind, ride_id, create_time
  FROM jsonb_to_recordset($1::text::jsonb) AS entry(
    transfer_id uuid, line integer, account text, currency_code text, amount_minor bigint, kind text, ride_id uuid, create_time timestamptz)`;

/** None for no transfers. */
export function writeOfTransfers(transfers: readonly Transfer[], nextId: () => string): readonly Write[] {
  if (transfers.length === 0) return [];
  const rows = transfers.flatMap((transfer) => linesOf(transfer, nextId()));
  return [{ name: "transfers", sql: insertSql, values: [JSON.stringify(rows)] }];
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
