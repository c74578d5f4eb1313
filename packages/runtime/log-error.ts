/**
 * An error as a log shows it: what it is, what it says, where it was thrown, and its causes the same way.
 *
 * Nothing else of it: Postgres' errors carry whole rows ("Failing row contains …"), statements and parameters, and those
 * hold people's places, plates and names.
 */
const causesMax = 5;
/** What an operator needs to find the statement, without its values. */
const safeFields = ["code", "severity", "constraint_name", "table_name", "schema_name", "column_name", "routine", "errno", "syscall", "reason"] as const;

export function errorFields(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return error;
  const causes: readonly unknown[] = error instanceof AggregateError ? error.errors : [];
  return {
    type: error.name,
    message: error.message,
    stack: error.stack ?? "",
    ...Object.fromEntries(safeFields.flatMap((name) => safeField(error, name))),
    ...(error.cause === undefined || depth >= causesMax ? {} : { cause: errorFields(error.cause, depth + 1) }),
    ...(causes.length === 0 || depth >= causesMax ? {} : { errors: causes.slice(0, causesMax).map((cause) => errorFields(cause, depth + 1)) }),
  };
}

function safeField(error: Error, name: string): readonly (readonly [string, string | number])[] {
  const value: unknown = Object.getOwnPropertyDescriptor(error, name)?.value;
  return typeof value === "string" || typeof value === "number" ? [[name, value]] : [];
}
