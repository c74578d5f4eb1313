/**
 * What a process hosts. An app starts, stops and says whether it is ready; it opens no sockets and reads no
 * environment that it was not given.
 */
import type { Clock, IdSource, Random } from "@ridegrid/domain";
import type { Meter, Tracer } from "@opentelemetry/api";
import type { Logger } from "./logger.ts";

export interface App {
  /** Such as "gateway.ewr" or "assignment-coordinator". */
  readonly name: string;
  /** Resolves when the app has begun its work; readiness may come later. */
  start(): Promise<void>;
  /** Finishes what it has, gives leases back, and resolves. Safe to call twice. */
  stop(): Promise<void>;
  readiness(): readonly ReadinessPart[];
}

/** `detail` says why a part is not ready, in words; empty when it is. */
export type ReadinessPart = { readonly name: string; readonly ready: boolean; readonly detail: string };

/** What every app is given instead of ambient time, dice, ids and output. */
export type ProcessContext = {
  /** Unique to this run of this process: the owner of its leases. */
  readonly processId: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: IdSource;
  readonly logger: Logger;
  readonly meter: Meter;
  readonly tracer: Tracer;
};
