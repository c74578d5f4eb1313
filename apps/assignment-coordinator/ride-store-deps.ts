/** What the Postgres store of single commands is given. */
import type { IdSource } from "@ridegrid/domain";
import type { Sql } from "@ridegrid/runtime";
import type { Regions } from "@ridegrid/spatial";

export type RideStoreDeps = {
  readonly sql: Sql;
  readonly ids: IdSource;
  readonly regions: Regions;
  /** Whether new rides must be refused until the relay has caught up. */
  readonly isOutboxFull: () => boolean;
  /** Called after a commit, with each home region that has new outbox rows. */
  readonly onCommit: (homeRegion: string) => void;
};
