/** Plain text tables for people: columns as wide as their widest cell, numbers to the right. */
export type Cell = string | number | bigint | boolean;
export type Table = { readonly columns: readonly string[]; readonly rows: readonly (readonly Cell[])[] };

export function renderTable({ columns, rows }: Table): string {
  if (rows.length === 0) return "(none)";
  const texts = rows.map((row) => row.map(String));
  const widths = columns.map((name, column) => Math.max(name.length, ...texts.map((row) => row[column]?.length ?? 0)));
  const numeric = columns.map((_, column) => rows.every((row) => typeof row[column] === "number" || typeof row[column] === "bigint"));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (numeric[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
      .join("  ")
      .trimEnd();
  return [line(columns), line(widths.map((width) => "-".repeat(width))), ...texts.map(line)].join("\n");
}
