/**
 * Writes of one act sent as one statement, each a part of it: a command then costs one message instead of six.
 *
 * Parts of a statement see nothing of each other and none may write another's row. Every row is found by its key: a
 * join with rows made of JSON is planned for a hundred of them, and reads the whole table where that is still small.
 */
import type { Queryable } from "@ridegrid/eventlog";
import { writesTogetherMax } from "./limits.ts";

/** `name` stands for `sql`, which is fixed; its parameters are $1 and so on, in the order of `values`. */
export type Write = { readonly name: string; readonly sql: string; readonly values: readonly WriteValue[] };
/** Times are text: a parameter that is a `Date` or null would be two statements to prepare. */
type WriteValue = string | number | boolean | Uint8Array | readonly string[] | null;

/** One statement; one for each write of a larger page, all sent at once. The first failure rejects; the rest fail with it. */
export async function writeTogether(tx: Queryable, writes: readonly Write[]): Promise<void> {
  if (writes.length <= writesTogetherMax) await writeAsOne(tx, writes);
  else await Promise.all(writes.map((write) => writeAsOne(tx, [write])));
}

/** Sent when it is called, not when it is awaited: what is sent next comes after it. */
export function writeAsOne(tx: Queryable, writes: readonly Write[]): Promise<unknown> {
  if (writes.length === 0) return Promise.resolve();
  const names = writes.map(({ name }) => name).join(" ");
  const known = texts.get(names);
  const text = known ?? textOf(writes);
  if (known === undefined) texts.set(names, text);
  const values = writes.flatMap((write) => write.values);
  return tx.unsafe(text, values, { prepare: true }).execute();
}

/** By the names of their parts. */
const texts = new Map<string, string>();

function textOf(parts: readonly Write[]): string {
  let before = 0;
  const numbered = parts.map(({ sql, values }, index) => {
    const shift = before;
    before += values.length;
    return `part_${index} AS (${sql.replace(/\$(\d+)/g, (_, number) => `$${Number(number) + shift}`)})`;
  });
  return `WITH ${numbered.join(", ")} SELECT`;
}

/** The values of these columns, as parameters. */
export function valuesOf<Row extends object>(row: Row, columns: readonly (keyof Row)[]): readonly WriteValue[] {
  return columns.map((column) => {
    const value: unknown = row[column];
    return value instanceof Date ? value.toISOString() : (value as WriteValue);
  });
}
