/**
 * `DriverService.StreamPositions` by its two roads: pushed, where a stream is plain, as phones' are; and message by
 * message through the library, for JSON, gRPC-Web, compression and deadlines. `position-stream.ts` is what both do.
 */
import { create, toBinary } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import type { ReportedPosition } from "@ridegrid/contracts";
import {
  DriverService,
  type RejectedPosition,
  type StreamPositionsRequest,
  type StreamPositionsResponse,
  StreamPositionsResponseSchema,
} from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { callerOf, type PushedMethod, type PushedStream, untilAborted } from "@ridegrid/rpc";
import type { PositionStream, PositionStreams, StreamPeer } from "../position-stream.ts";
import { readReportedPosition, reportedPosition } from "../reported-position.ts";

export function pushedPositions(streams: PositionStreams): PushedMethod {
  return {
    method: DriverService.method.streamPositions,
    open(context, peer) {
      const acknowledge: StreamPeer["acknowledge"] = (ackedSequence, rejected) => peer.send(encoded(ackedSequence, rejected));
      return pushed(streams.open(callerOf(context).principal, { acknowledge, resume: () => peer.resume() }));
    },
  };
}

/** Gathers what comes at once, so that it is charged, submitted and acknowledged at once. */
function pushed(stream: PositionStream): PushedStream {
  let came: ReportedPosition[] = [];
  let failed = false;
  return {
    take(bytes, from, to) {
      if (failed) return;
      try {
        came.push(readReportedPosition(bytes, from, to));
      } catch (error) {
        fail(error);
      }
    },
    taken: () => (came.length === 0 ? true : hand()),
    fail,
    halfClose: () => stream.halfClose(),
    drained: () => stream.drained(),
    ended: stream.ended,
    leave: () => stream.leave(),
  };

  function hand(): boolean {
    const positions = came;
    came = [];
    return stream.take(positions);
  }

  /** What came before it is good. */
  function fail(error: unknown): void {
    failed = true;
    if (came.length > 0) hand();
    stream.halfClose({ error });
  }
}

/** The usual acknowledgement is one number, which needs no codec. */
function encoded(ackedSequence: number, rejected: readonly RejectedPosition[]): Uint8Array {
  if (rejected.length > 0 || ackedSequence >= 2 ** 31) return toBinary(StreamPositionsResponseSchema, response(ackedSequence, rejected));
  const bytes = ackedSequence === 0 ? [] : [0x08];
  let rest = ackedSequence;
  for (; rest >= 128; rest >>>= 7) bytes.push((rest & 127) | 128);
  if (ackedSequence > 0) bytes.push(rest);
  return Uint8Array.from(bytes);
}

function response(ackedSequence: number, rejected: readonly RejectedPosition[]): StreamPositionsResponse {
  return create(StreamPositionsResponseSchema, { ackedSequence: BigInt(ackedSequence), rejected: [...rejected] });
}

export async function* streamPositions(
  streams: PositionStreams,
  requests: AsyncIterable<StreamPositionsRequest>,
  context: HandlerContext,
): AsyncIterable<StreamPositionsResponse> {
  const unread: StreamPositionsResponse[] = [];
  let over: { readonly failure?: { readonly error: unknown } } | undefined;
  let changed = Promise.withResolvers<void>();
  let resumed = Promise.withResolvers<void>();
  const stream = streams.open(callerOf(context).principal, {
    // One is held here; while it is not taken, more are joined.
    acknowledge(ackedSequence, rejected) {
      unread.push(response(ackedSequence, rejected));
      changed.resolve();
      return false;
    },
    resume: () => resumed.resolve(),
  });
  const end = (how: typeof over): void => {
    over = how;
    changed.resolve();
    resumed.resolve();
  };
  void stream.ended.then(
    () => end({}),
    (error: unknown) => end({ failure: { error } }),
  );
  async function readAll(): Promise<void> {
    try {
      for await (const request of untilAborted(requests, context.signal)) {
        resumed = Promise.withResolvers<void>();
        if (!stream.take([reportedPosition(request)]) && over === undefined) await resumed.promise;
      }
      stream.halfClose();
    } catch (error) {
      stream.halfClose({ error });
    }
  }
  try {
    void readAll();
    for (;;) {
      await changed.promise;
      changed = Promise.withResolvers<void>();
      for (let next = unread.shift(); next !== undefined; next = unread.shift()) {
        yield next;
        stream.drained();
      }
      if (over?.failure !== undefined) throw over.failure.error;
      if (over !== undefined) return;
    }
  } finally {
    stream.leave();
  }
}
