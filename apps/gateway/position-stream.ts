/**
 * One driver's position stream, whatever carries it: positions in, acknowledgements out, a bounded number in flight.
 *
 * An acknowledgement never runs ahead of an older position, and one stands for as many as there are, at its own pace.
 * While the peer does not take it, it only grows, and nothing more is read: what a stream holds is bounded whatever its peer does.
 *
 * A driver has one such stream: a newer one ends the older with SUPERSEDED, at once on the same gateway, and with its
 * next position where another gateway carries the newer one.
 */
import type { ReportedPosition } from "@ridegrid/contracts";
import type { RejectedPosition } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import type { IdSource } from "@ridegrid/domain";
import { apiError } from "@ridegrid/rpc";
import type { AcknowledgementPace, Speaker } from "./acknowledgement-pace.ts";
import { positionsInFlightMax, positionsPerCharge, positionsUnsaidMax } from "./limits.ts";
import type { RunFate } from "./positions-forwarder.ts";
import type { SubmitPositions } from "./submit-positions.ts";

export interface PositionStream {
  /** Told what came at once. False: nothing more is to be read until `resume`. */
  take(positions: readonly ReportedPosition[]): boolean;
  /** Ends when all is answered: because the driver sends no more, or with an error that concerns only what comes next. */
  halfClose(failure?: { readonly error: unknown }): void;
  /** The peer takes acknowledgements again. */
  drained(): void;
  /** Rejects with what ends the stream. */
  readonly ended: Promise<void>;
  /** It is over, whoever ended it. */
  leave(): void;
}

export interface StreamPeer {
  /** False: the peer takes no more until `drained`. */
  acknowledge(ackedSequence: number, rejected: readonly RejectedPosition[]): boolean;
  resume(): void;
}

export interface PositionStreams {
  /** Ends the driver's older stream. */
  open(driverId: string, peer: StreamPeer): PositionStream;
}

export type PositionStreamsDeps = {
  readonly ids: IdSource;
  readonly submit: Pick<SubmitPositions, "each">;
  readonly pace: AcknowledgementPace;
  /** What it answers throws RATE_LIMITED. */
  readonly chargeFor: (driverId: string) => (positions: number) => void;
};

export function createPositionStreams(deps: PositionStreamsDeps): PositionStreams {
  const open = new Map<string, OpenStream>();
  return {
    open(driverId, peer) {
      open.get(driverId)?.end({ error: superseded() });
      // A UUIDv7: a newer stream's is greater.
      const source = { driverId, streamId: deps.ids.uuid() };
      const stream = createStream({
        submit: deps.submit,
        pace: deps.pace,
        charge: deps.chargeFor(driverId),
        source,
        peer,
        left: () => open.get(driverId) === stream && open.delete(driverId),
      });
      open.set(driverId, stream);
      return stream;
    },
  };
}

type OpenStream = PositionStream & { end(failure: Ending): void };
type Ending = { readonly error: unknown } | undefined;
type Run = { readonly positions: number; fate: Extract<RunFate, { kind: "answered" }> | undefined };

type StreamDeps = Pick<PositionStreamsDeps, "submit" | "pace"> & {
  readonly charge: (positions: number) => void;
  readonly source: { readonly driverId: string; readonly streamId: string };
  readonly peer: StreamPeer;
  readonly left: () => void;
};

function createStream({ submit, pace, charge, source, peer, left }: StreamDeps): OpenStream {
  const runs: Run[] = [];
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
  // Whoever reads it may come later than its end.
  ended.catch(() => {});
  let rejected: RejectedPosition[] = [];
  let ackedSequence = 0;
  let inFlight = 0;
  let unsaid = 0;
  let writable = true;
  let paused = false;
  let last: { readonly failure: Ending } | undefined;
  let over = false;
  const speaker: Speaker = { say, saidAtMs: Number.NEGATIVE_INFINITY };

  function end(failure: Ending): void {
    if (over) return;
    over = true;
    // The last word is said even to a peer that does not listen: it is one.
    if (unsaid > 0) acknowledge();
    if (failure === undefined) resolve();
    else reject(failure.error);
  }

  function begin(positions: number): (fate: RunFate) => void {
    const run: Run = { positions, fate: undefined };
    runs.push(run);
    inFlight += positions;
    return (fate) => {
      if (fate.kind === "failed") return end(fate);
      if (fate.superseded) return end({ error: superseded() });
      run.fate = fate;
      advance();
    };
  }

  /** In the order the positions came. */
  function advance(): void {
    for (let first = runs[0]; first?.fate !== undefined; first = runs[0]) {
      runs.shift();
      inFlight -= first.positions;
      unsaid += first.positions;
      if (first.fate.ackedSequence > ackedSequence) ackedSequence = first.fate.ackedSequence;
      if (first.fate.rejected.length > 0) rejected.push(...first.fate.rejected);
    }
    if (unsaid > 0) pace.add(speaker, isUrgent());
  }

  const isAnswered = (): boolean => last !== undefined && runs.length === 0;
  const isUrgent = (): boolean => paused || rejected.length > 0 || isAnswered() || unsaid >= positionsUnsaidMax;

  function acknowledge(): void {
    unsaid = 0;
    writable = peer.acknowledge(ackedSequence, rejected);
    rejected = [];
  }

  function say(): void {
    if (over) return;
    if (isAnswered()) return end(last?.failure);
    if (unsaid > 0 && writable) acknowledge();
    if (!paused || !wantsMore()) return;
    paused = false;
    peer.resume();
  }

  const wantsMore = (): boolean => writable && last === undefined && inFlight < positionsInFlightMax;

  return {
    ended,
    take(positions) {
      if (over || last !== undefined) return true;
      try {
        // In handfuls: of many that come at once, as many are taken as the rate allows.
        for (let first = 0; first < positions.length; first += positionsPerCharge) {
          const some = positions.length <= positionsPerCharge ? positions : positions.slice(first, first + positionsPerCharge);
          charge(some.length);
          submit.each(source, some, begin);
        }
      } catch (error) {
        last = { failure: { error } };
        say();
      }
      paused = !over && last === undefined && !wantsMore();
      return !paused;
    },
    halfClose(failure) {
      last ??= { failure };
      say();
    },
    drained() {
      writable = true;
      say();
    },
    leave() {
      end(undefined);
      left();
    },
    end,
  };
}

function superseded(): Error {
  return apiError("SUPERSEDED", "A newer position stream of this driver took this one's place");
}
