/**
 * What the rest of the code takes instead of ambient time, dice and ids.
 *
 * Adapters live in the runtime (system) and in the testing package (manual, seeded).
 */
export interface Clock {
  /** Milliseconds since the Unix epoch, corrected to the database's clock where a process measures it. */
  nowMs(): number;
}

export interface Random {
  /** A number from 0 (inclusive) to 1 (exclusive). */
  next(): number;
}

export interface IdSource {
  /** A fresh UUIDv7 in lower case. */
  uuid(): string;
}
