/** Ends every exhaustive `switch`: the type checker proves it is never called, and the program stops if it is. */
export function unreachable(value: never): never {
  throw new Error(`Unreachable value ${JSON.stringify(value)}`);
}
