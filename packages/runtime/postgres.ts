/**
 * Opens a pool on Postgres the way every process of RideGrid does: bounded waits, its own role and schema, offsets
 * and versions as plain numbers.
 *
 * It knows no table. How many callers may queue for a connection is the callers' bound.
 */
import postgres from "postgres";
import {
  postgresConnectTimeoutMs,
  postgresIdleInTransactionTimeoutMs,
  postgresPoolSizeDefault,
  postgresReconnectDelayMaxMs,
  postgresStatementTimeoutMs,
} from "./limits.ts";

export type Sql = postgres.Sql;

export type PostgresOptions = {
  readonly url: string;
  /** The role to act as; the url's user must be a member of it. */
  readonly role?: string;
  /** The only schema on the search path; the database's default path when left out. */
  readonly schema?: string;
  readonly max?: number;
  /** Shown in `pg_stat_activity`, so that an operator sees who holds a lock. */
  readonly applicationName?: string;
  /** 0 is no bound. */
  readonly statementTimeoutMs?: number;
  readonly idleInTransactionTimeoutMs?: number;
  readonly connectTimeoutMs?: number;
  /** `off` where a lost write is repeated anyway: a relay's cursor. */
  readonly synchronousCommit?: "on" | "off";
};

/** Connects at the first query. A server that is away fails a query within the connect timeout; the pool recovers by itself. */
export function createPostgres(options: PostgresOptions): Sql {
  return postgres(options.url, {
    max: options.max ?? postgresPoolSizeDefault,
    connect_timeout: (options.connectTimeoutMs ?? postgresConnectTimeoutMs) / 1000,
    backoff: (attempt: number) => Math.min(20 * 2 ** attempt, postgresReconnectDelayMaxMs) / 1000,
    onnotice: () => {},
    types: numericBigints,
    connection: {
      application_name: options.applicationName ?? "ridegrid",
      statement_timeout: options.statementTimeoutMs ?? postgresStatementTimeoutMs,
      idle_in_transaction_session_timeout: options.idleInTransactionTimeoutMs ?? postgresIdleInTransactionTimeoutMs,
      TimeZone: "UTC",
      ...(options.role === undefined ? {} : { role: options.role }),
      ...(options.schema === undefined ? {} : { search_path: options.schema }),
      ...(options.synchronousCommit === undefined ? {} : { synchronous_commit: options.synchronousCommit }),
    },
  });
}

const int8 = 20;

const numericBigints: Record<string, postgres.PostgresType> = {
  bigint: {
    to: int8,
    from: [int8],
    serialize: (value: unknown) => String(value),
    parse: parseSafeInteger,
  },
};

/** Offsets, versions and amounts stay far below 2^53; one that does not is a fault, never a rounded number. */
function parseSafeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`Cannot read bigint "${text}": it is beyond 2^53`);
  return value;
}
