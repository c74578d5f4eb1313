/** What every handler of the coordinator is: one use case on the ports it was given. */
import type { ServiceImpl } from "@connectrpc/connect";
import type { CoordinatorService } from "@ridegrid/contracts";
import type { IdSource } from "@ridegrid/domain";
import type { ServiceDirectory } from "@ridegrid/rpc";
import type { Sql } from "@ridegrid/runtime";
import type { Regions } from "@ridegrid/spatial";
import type { OperatorStore } from "../operator-store.ts";
import type { RideStore } from "../ride-store.ts";

export type CoordinatorImpl = ServiceImpl<typeof CoordinatorService>;

export type HandlerDeps = {
  readonly store: RideStore;
  readonly operators: OperatorStore;
  /** For reads. */
  readonly sql: Sql;
  readonly ids: IdSource;
  readonly regions: Regions;
  readonly directory: ServiceDirectory;
  readonly pinSecret: string;
};

export const serviceName = "assignment-coordinator";
