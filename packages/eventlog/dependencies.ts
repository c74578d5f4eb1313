/**
 * What this package takes from its host, by shape: it may import the domain only, so it names what it needs itself.
 * `ProcessContext` and a postgres.js pool, transaction or reserved connection fit.
 */
import type { Meter, Tracer } from "@opentelemetry/api";
import type { Clock, Random } from "@ridegrid/domain";
import type postgres from "postgres";

/** A pool or a transaction: something that runs a statement. */
export type Queryable = postgres.ISql;
export type Pool = postgres.Sql;
export type Transaction = postgres.TransactionSql;

export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export type HostContext = {
  /** Unique to this run of this process: the owner of its leases. */
  readonly processId: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Log;
  readonly meter: Meter;
  readonly tracer: Tracer;
};
