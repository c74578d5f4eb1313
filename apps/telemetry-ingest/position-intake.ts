/**
 * Pages of reported positions in, the fate of their runs out: each position is judged, the good ones are buffered for
 * their market, and a run is answered when they are durable. Keeps one order for each driver, whatever stream the reports come on.
 */
import { columnsIn, type PageColumns, rowsIn } from "@ridegrid/contracts";
import { PositionRejection } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import type { ForwardPositionsRequest, ForwardPositionsResponse } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { type Clock, type LatLng, unreachable } from "@ridegrid/domain";
import { apiError } from "@ridegrid/rpc";
import type { DriverMarks } from "./driver-marks.ts";
import { isNewShift, judgePosition, type ReceivedPosition } from "./judge-position.ts";
import { positionsPendingMax } from "./limits.ts";
import type { MarketBuffer } from "./market-buffer.ts";
import { answerTo, type JudgedRun, positionIn, type ReportedRun, runsOf } from "./position-page.ts";
import type { ShiftLookup } from "./shift-lookup.ts";
import type { StreamOrder } from "./stream-order.ts";

export interface PositionIntake {
  /**
   * Answers every run once, most of them together. @throws OVERLOADED without room, FIELD_INVALID when the columns do not
   * fit together, DEPENDENCY_AWAY when the log did not take them: runs without an answer are not acknowledged.
   */
  admit(page: ForwardPositionsRequest, answer: (answer: ForwardPositionsResponse) => void): Promise<void>;
}

export type Outcome = "accepted" | keyof typeof PositionRejection;

export type PositionIntakeDeps = {
  readonly clock: Clock;
  readonly marks: DriverMarks;
  readonly streams: StreamOrder;
  readonly shifts: ShiftLookup;
  /** The buffer of the market that covers the point, if this region serves it. */
  readonly bufferAt: (point: LatLng) => MarketBuffer | undefined;
  readonly onJudged: (outcome: Outcome, positions: number) => void;
};

/** When it is durable, or why it is refused. */
type Verdict = Promise<void> | PositionRejection;

export function createPositionIntake(deps: PositionIntakeDeps): PositionIntake {
  const { marks, streams } = deps;
  const judges = createJudges(deps);
  const tally = createTally(deps.onJudged);
  let pending = 0;

  async function take(page: ForwardPositionsRequest, answer: (answer: ForwardPositionsResponse) => void): Promise<void> {
    const told = (runs: readonly JudgedRun[]): void => answer(answerTo(page.pageId, runs, marks));
    const runs = runsOf(page);
    const received: Received = { columns: columnsIn(page), nowMs: deps.clock.nowMs() };
    const together: JudgedRun[] = [];
    const alone: Promise<void>[] = [];
    const durable = new Set<Promise<void>>();
    for (const run of runs) {
      const judged: JudgedRun = {
        index: run.index,
        driverId: run.driverId,
        superseded: !streams.isNewest(run.driverId, run.streamId),
        highest: 0,
        rejected: [],
      };
      const lapsedAt = judged.superseded ? -1 : judgeFrom(run.from, run, { received, judged, durable });
      if (lapsedAt < 0) together.push(judged);
      else alone.push(takeAlone(run, received, { judged, lapsedAt }).then(() => told([judged])));
    }
    tally.report();
    await Promise.all([allDurable(durable).then(() => told(together)), ...alone]);
  }

  /** -1, or the row whose sequence lapsed: only the coordinator knows of the driver's shift. */
  function judgeFrom(first: number, { driverId, to }: ReportedRun, { received, judged, durable }: Judging): number {
    for (let row = first; row < to; row++) {
      const position = positionIn(received.columns, row, received.nowMs);
      const verdict = judges.judge(driverId, position);
      if (verdict === "lapsed") return row;
      note(judged, position, verdict, durable);
    }
    return -1;
  }

  async function takeAlone(
    run: ReportedRun,
    { columns }: Received,
    { judged, lapsedAt }: { readonly judged: JudgedRun; readonly lapsedAt: number },
  ): Promise<void> {
    const durable = new Set<Promise<void>>();
    for (let row = lapsedAt; row >= 0;) {
      const lapsed = positionIn(columns, row, deps.clock.nowMs());
      const { verdict } = await judges.judgeLapsed(run.driverId, lapsed);
      note(judged, lapsed, verdict, durable);
      row = judgeFrom(row + 1, run, { received: { columns, nowMs: deps.clock.nowMs() }, judged, durable });
    }
    tally.report();
    await allDurable(durable);
  }

  function note(judged: JudgedRun, { sequence }: ReceivedPosition, verdict: Verdict, durable: Set<Promise<void>>): void {
    if (verdict instanceof Promise) {
      durable.add(verdict);
      judged.highest = Math.max(judged.highest, sequence);
      tally.count("accepted");
    } else {
      judged.rejected.push({ sequence, reason: verdict });
      tally.count(rejectionName(verdict));
    }
  }

  return {
    async admit(page, answer) {
      const positions = Math.ceil(rowsIn(page));
      if (pending + positions > positionsPendingMax) throw overloaded();
      pending += positions;
      try {
        await take(page, answer);
      } finally {
        pending -= positions;
      }
    },
  };
}

type Received = { readonly columns: PageColumns; readonly nowMs: number };
type Judging = { readonly received: Received; readonly judged: JudgedRun; readonly durable: Set<Promise<void>> };

/** A counter is told once a page, not for each position. */
function createTally(onJudged: PositionIntakeDeps["onJudged"]) {
  const counts = new Map<Outcome, number>();
  return {
    count: (outcome: Outcome): void => void counts.set(outcome, (counts.get(outcome) ?? 0) + 1),
    report(): void {
      for (const [outcome, positions] of counts) onJudged(outcome, positions);
      counts.clear();
    },
  };
}

interface Judges {
  judge(driverId: string, position: ReceivedPosition): Verdict | "lapsed";
  judgeLapsed(driverId: string, position: ReceivedPosition): Promise<{ readonly verdict: Verdict }>;
}

/** What is good is buffered by the very step that finds it so. */
function createJudges({ clock, marks, shifts, bufferAt }: PositionIntakeDeps): Judges {
  /** In one step with no wait in it, so that two streams of one driver cannot both pass the same check. */
  function judge(driverId: string, position: ReceivedPosition): Verdict | "lapsed" {
    const judgement = judgePosition(position, marks.accepted(driverId));
    switch (judgement.kind) {
      case "rejected":
        return judgement.reason;
      case "lapsed":
        return "lapsed";
      case "good":
        return buffer(driverId, position);
      default:
        return unreachable(judgement);
    }
  }

  async function judgeLapsed(driverId: string, position: ReceivedPosition): Promise<{ readonly verdict: Verdict }> {
    const startedAtMs = await shifts.shiftStartedAtMs(driverId);
    const last = marks.accepted(driverId);
    if (last !== null && startedAtMs !== null && isNewShift(startedAtMs, last)) marks.startOver(driverId);
    const verdict = judge(driverId, { ...position, receivedAtMs: clock.nowMs() });
    // In an object: a promise would be waited for.
    return { verdict: verdict === "lapsed" ? PositionRejection.OUT_OF_ORDER : verdict };
  }

  function buffer(driverId: string, position: ReceivedPosition): Verdict {
    const market = bufferAt(position);
    if (market === undefined) return PositionRejection.OUTSIDE_SERVICE_AREA;
    const durable = market.add(driverId, position);
    if (durable === null) throw overloaded();
    marks.accept(driverId, position);
    return durable;
  }

  return { judge, judgeLapsed };
}

async function allDurable(durable: ReadonlySet<Promise<void>>): Promise<void> {
  try {
    await Promise.all(durable);
  } catch (cause) {
    throw apiError("DEPENDENCY_AWAY", "Cannot acknowledge positions: the event log did not take them", {}, undefined, cause);
  }
}

function overloaded(): Error {
  return apiError("OVERLOADED", "Cannot take more positions: too many wait to be durable");
}

function rejectionName(reason: PositionRejection): keyof typeof PositionRejection {
  switch (reason) {
    case PositionRejection.OUT_OF_RANGE:
      return "OUT_OF_RANGE";
    case PositionRejection.TOO_INACCURATE:
      return "TOO_INACCURATE";
    case PositionRejection.TOO_OLD:
      return "TOO_OLD";
    case PositionRejection.IN_THE_FUTURE:
      return "IN_THE_FUTURE";
    case PositionRejection.OUT_OF_ORDER:
      return "OUT_OF_ORDER";
    case PositionRejection.OUTSIDE_SERVICE_AREA:
      return "OUTSIDE_SERVICE_AREA";
    default:
      return "UNSPECIFIED";
  }
}
