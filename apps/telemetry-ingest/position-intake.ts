/**
 * Reported positions in, their fate out: each is judged, the good ones are buffered for their market, and the answer
 * comes when they are durable. Keeps one order for each driver, whatever stream the reports come on.
 */
import type { Position, RejectedPosition } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { PositionRejection, RejectedPositionSchema } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { type ForwardPositionsRequest, type PositionsResult, PositionsResultSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { create } from "@bufbuild/protobuf";
import { type Clock, type LatLng, unreachable } from "@ridegrid/domain";
import { apiError } from "@ridegrid/rpc";
import type { DriverMarks } from "./driver-marks.ts";
import { type GoodPosition, isNewShift, judgePosition } from "./judge-position.ts";
import { batchesPendingMax } from "./limits.ts";
import type { MarketBuffer } from "./market-buffer.ts";
import type { ShiftLookup } from "./shift-lookup.ts";
import type { StreamOrder } from "./stream-order.ts";

export interface PositionIntake {
  /** @throws OVERLOADED without room, DEPENDENCY_AWAY when the log did not take them: nothing of it is acknowledged. */
  admit(batch: ForwardPositionsRequest): Promise<PositionsResult>;
  readonly pendingBatches: number;
}

export type PositionIntakeDeps = {
  readonly clock: Clock;
  readonly marks: DriverMarks;
  readonly streams: StreamOrder;
  readonly shifts: ShiftLookup;
  /** The buffer of the market that covers the point, if this region serves it. */
  readonly bufferAt: (point: LatLng) => MarketBuffer | undefined;
  readonly onJudged: (outcome: "accepted" | keyof typeof PositionRejection) => void;
};

type Verdict = { readonly durable: Promise<void> } | { readonly rejection: PositionRejection };

export function createPositionIntake(deps: PositionIntakeDeps): PositionIntake {
  const { marks, streams, onJudged } = deps;
  const judges = createJudges(deps);
  let pendingBatches = 0;

  async function admit(batch: ForwardPositionsRequest): Promise<PositionsResult> {
    if (pendingBatches >= batchesPendingMax) throw overloaded();
    pendingBatches++;
    try {
      return await take(batch);
    } finally {
      pendingBatches--;
    }
  }

  async function take({ batchId, driverId, positions, streamId }: ForwardPositionsRequest): Promise<PositionsResult> {
    if (!streams.isNewest(driverId, streamId)) {
      return create(PositionsResultSchema, { batchId, driverId, ackedSequence: BigInt(marks.durableSequence(driverId)), superseded: true });
    }
    const rejected: RejectedPosition[] = [];
    const durable = new Set<Promise<void>>();
    let highest = 0;
    for (const position of positions) {
      const first = judges.judge(driverId, position);
      const verdict = first === "lapsed" ? await judges.judgeLapsed(driverId, position) : first;
      if ("durable" in verdict) {
        durable.add(verdict.durable);
        highest = Math.max(highest, Number(position.sequence));
        onJudged("accepted");
      } else {
        rejected.push(create(RejectedPositionSchema, { sequence: position.sequence, reason: verdict.rejection }));
        onJudged(rejectionName(verdict.rejection));
      }
    }
    try {
      await Promise.all(durable);
    } catch (cause) {
      throw apiError("DEPENDENCY_AWAY", `Cannot acknowledge positions of driver "${driverId}": the event log did not take them`, {}, undefined, cause);
    }
    const acked = Math.max(highest, marks.durableSequence(driverId));
    return create(PositionsResultSchema, { batchId, driverId, ackedSequence: BigInt(acked), rejected });
  }

  return {
    admit,
    get pendingBatches() {
      return pendingBatches;
    },
  };
}

interface Judges {
  judge(driverId: string, position: Position): Verdict | "lapsed";
  judgeLapsed(driverId: string, position: Position): Promise<Verdict>;
}

/** What is good is buffered by the very step that finds it so. */
function createJudges({ clock, marks, shifts, bufferAt }: PositionIntakeDeps): Judges {
  /** In one step with no wait in it, so that two streams of one driver cannot both pass the same check. */
  function judge(driverId: string, position: Position): Verdict | "lapsed" {
    const judgement = judgePosition(position, marks.accepted(driverId), clock.nowMs());
    switch (judgement.kind) {
      case "rejected":
        return { rejection: judgement.reason };
      case "lapsed":
        return "lapsed";
      case "good":
        return buffer(driverId, judgement.position);
      default:
        return unreachable(judgement);
    }
  }

  async function judgeLapsed(driverId: string, position: Position): Promise<Verdict> {
    const startedAtMs = await shifts.shiftStartedAtMs(driverId);
    const last = marks.accepted(driverId);
    if (last !== null && startedAtMs !== null && isNewShift(startedAtMs, last)) marks.startOver(driverId);
    const verdict = judge(driverId, position);
    return verdict === "lapsed" ? { rejection: PositionRejection.OUT_OF_ORDER } : verdict;
  }

  function buffer(driverId: string, position: GoodPosition): Verdict {
    const market = bufferAt(position.location);
    if (market === undefined) return { rejection: PositionRejection.OUTSIDE_SERVICE_AREA };
    const durable = market.add(driverId, position);
    if (durable === null) throw overloaded();
    marks.accept(driverId, position);
    return { durable };
  }

  return { judge, judgeLapsed };
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
