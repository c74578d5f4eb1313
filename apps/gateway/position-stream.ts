/**
 * One driver's position stream, whatever carries it: positions in, acknowledgements out, a bounded number in flight.
 *
 * An acknowledgement never runs ahead of an older position, and one stands for as many as there are. While the peer does
 * not take it, it only grows, and nothing more is read: what a stream holds is bounded whatever its peer does.
 *
 * A driver has one such stream: a newer one ends the older with SUPERSEDED, at once on the same gateway, and with its
 * next position where another gateway carries the newer one.
 */
import type { ReportedPosition } from "@ridegrid/contracts";
import type { RejectedPosition } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import type { IdSource } from "@ridegrid/domain";
import { apiError } from "@ridegrid/rpc";
import { positionsInFlightMax, positionsPerCharge } from "./limits.ts";
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
  acknowledge(ackedSequence: bigint, rejected: readonly RejectedPosition[]): boolean;
  resume(): void;
}

export interface PositionStreams {
  /** Ends the driver's older stream. */
  open(driverId: string, peer: StreamPeer): PositionStream;
}

export type PositionStreamsDeps = {
  readonly ids: IdSource;
  readonly submit: SubmitPositions;
  /** What it answers throws RATE_LIMITED. */
  readonly chargeFor: (driverId: string) => (positions: number) => void;
};

export function createPositionStreams(deps: PositionStreamsDeps): PositionStreams {
  const open = new Map<string, OpenStream>();
  const acknowledgements = createFlusher();
  return {
    open(driverId, peer) {
      open.get(driverId)?.end({ error: superseded() });
      // A UUIDv7: a newer stream's is greater.
      const source = { driverId, streamId: deps.ids.uuid() };
      const stream = createStream({
        submit: deps.submit,
        charge: deps.chargeFor(driverId),
        source,
        peer,
        later: acknowledgements,
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

type StreamDeps = Pick<PositionStreamsDeps, "submit"> & {
  readonly charge: (positions: number) => void;
  readonly source: { readonly driverId: string; readonly streamId: string };
  readonly peer: StreamPeer;
  readonly later: Flusher;
  readonly left: () => void;
};

function createStream({ submit, charge, source, peer, later, left }: StreamDeps): OpenStream {
  const runs: Run[] = [];
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
  // Whoever reads it may come later than its end.
  ended.catch(() => {});
  let rejected: RejectedPosition[] = [];
  let ackedSequence = 0n;
  let inFlight = 0;
  let unsaid = false;
  let writable = true;
  let paused = false;
  let last: { readonly failure: Ending } | undefined;
  let over = false;

  function end(failure: Ending): void {
    if (over) return;
    over = true;
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
      unsaid = true;
      if (first.fate.ackedSequence > ackedSequence) ackedSequence = first.fate.ackedSequence;
      if (first.fate.rejected.length > 0) rejected.push(...first.fate.rejected);
    }
    if (unsaid) later.add(say);
  }

  function say(): void {
    if (over) return;
    // The last word is said even to a peer that does not listen: it is one.
    const isLast = last !== undefined && runs.length === 0;
    if (unsaid && (writable || isLast)) {
      unsaid = false;
      writable = peer.acknowledge(ackedSequence, rejected);
      rejected = [];
    }
    if (isLast) return end(last?.failure);
    if (!paused || !wantsMore()) return;
    paused = false;
    peer.resume();
  }

  const wantsMore = (): boolean => writable && !unsaid && last === undefined && inFlight < positionsInFlightMax;

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

interface Flusher {
  add(say: () => void): void;
}

/** What is answered in one turn of the loop is acknowledged in one message a stream. */
function createFlusher(): Flusher {
  let waiting = new Set<() => void>();
  function flush(): void {
    const now = waiting;
    waiting = new Set();
    for (const say of now) say();
  }
  return {
    add(say) {
      if (waiting.size === 0) setImmediate(flush);
      waiting.add(say);
    },
  };
}

function superseded(): Error {
  return apiError("SUPERSEDED", "A newer position stream of this driver took this one's place");
}
