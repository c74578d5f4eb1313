/**
 * Writes of one act sent as one statement, each a part of it: a command then costs one message instead of six.
 *
 * Parts of a statement see nothing of each other and none may write another's row. Every row is found by its key: a
 * join with rows made of JSON is planned for a hundred of them, and reads the whole table where that is still small.
 */
import { writesTogetherMax } from "./limits.ts";
import type { Tx } from "./tx.ts";

/** `name` stands for `sql`, which is fixed; its parameters are $1 and so on, in the order of `values`. */
export type Write = { readonly name: string; readonly sql: string; readonly values: readonly WriteValue[] };
/** Times are text: a parameter that is a `Date` or null would be two statements to prepare. */
type WriteValue = string | number | boolean | Uint8Array | readonly string[] | null;

/** One statement, or one for each write of a larger page; all are sent at once. The first failure rejects; the rest fail with it. */
export async function writeTogether(tx: Tx, writes: readonly Write[]): Promise<void> {
  const statements = writes.length <= writesTogetherMax ? [writes] : writes.map((write) => [write]);
  await Promise.all(statements.map((parts) => (parts.length === 0 ? undefined : send(tx, parts))));
}

/** By the names of their parts. */
const texts = new Map<string, string>();

function send(tx: Tx, parts: readonly Write[]): Promise<unknown> {
  const names = parts.map(({ name }) => name).join(" ");
  const known = texts.get(names);
  const text = known ?? textOf(parts);
  if (known === undefined) texts.set(names, text);
  return tx.unsafe(
    text,
    parts.flatMap(({ values }) => values),
    { prepare: true },
  );
}

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
