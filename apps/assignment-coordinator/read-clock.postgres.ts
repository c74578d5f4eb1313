/** The database's clock, for what is decided without a lock. */
import type { Queryable } from "@ridegrid/eventlog";

export async function databaseNowMs(sql: Queryable): Promise<number> {
  const rows = await sql<{ now: Date }[]>`SELECT date_trunc('milliseconds', clock_timestamp()) AS now`;
  const now = rows[0]?.now;
  if (now === undefined) throw new Error("The database's clock gave no answer");
  return now.getTime();
}
