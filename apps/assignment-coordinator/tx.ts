/** A transaction of the platform database, as every statement here is given it. */
import type postgres from "postgres";

export type Tx = postgres.TransactionSql;
