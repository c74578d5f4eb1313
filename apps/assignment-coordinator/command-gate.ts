/**
 * Stands before every handler: a bounded rate and number at once, each answered within a bound whatever Postgres does.
 *
 * What was given up may still commit; its request id tells whoever asks again. Nothing of Postgres' own words leaves.
 */
import type { ConnectError } from "@connectrpc/connect";
import { apiError, type Capacity } from "@ridegrid/rpc";
import { isPostgresAway } from "@ridegrid/runtime";
import { commandAnswerMs } from "./limits.ts";
import { isLostRace, sqlStateOf } from "./transaction.postgres.ts";

export interface CommandGate {
  /** `own`: the platform's own call, which is not counted into the rate. @throws OVERLOADED */
  run<T>(work: () => Promise<T>, own?: boolean): Promise<T>;
}

export function createCommandGate({ capacity, answerMs = commandAnswerMs }: { readonly capacity: Capacity; readonly answerMs?: number }): CommandGate {
  return {
    async run(work, own = false) {
      if (!own) capacity.admit();
      const leave = capacity.enter();
      // Counted until it has really ended: a stalled database must not let calls pile up behind it.
      const working = work().finally(leave);
      return await answeredWithin(answerMs, working);
    },
  };
}

async function answeredWithin<T>(ms: number, working: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(apiError("DEPENDENCY_AWAY", `The database did not answer within ${ms} ms; whether the call took effect is unknown`)),
    ms,
  );
  try {
    return await Promise.race([working, late.promise]);
  } catch (error) {
    throw toAnswer(error) ?? error;
  } finally {
    clearTimeout(timer);
    // Its end is no longer waited for, and must not become an unhandled rejection.
    working.catch(() => undefined);
  }
}

const lockTimeout = "55P03";
const statementTimeout = "57014";

function toAnswer(error: unknown): ConnectError | undefined {
  if (isLostRace(error)) return apiError("OVERLOADED", "Cannot apply the command: it lost too many races", {}, undefined, error);
  if (isPostgresAway(error)) return apiError("DEPENDENCY_AWAY", "Cannot reach the database", {}, undefined, error);
  switch (sqlStateOf(error)) {
    case lockTimeout:
      return apiError("OVERLOADED", "Cannot apply the command: what it changes is being changed by others", {}, undefined, error);
    case statementTimeout:
      return apiError("DEPENDENCY_AWAY", "The database did not answer in time", {}, undefined, error);
    default:
      return undefined;
  }
}
