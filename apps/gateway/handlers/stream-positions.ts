/**
 * `DriverService.StreamPositions`: positions in, acknowledgements out, a bounded number of them in flight.
 *
 * A driver has one such stream: a newer one ends the older with SUPERSEDED, at once on the same gateway, and with its
 * next position where another gateway carries the newer one.
 */
import { create } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import {
  PositionSchema,
  type StreamPositionsRequest,
  type StreamPositionsResponse,
  StreamPositionsResponseSchema,
} from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import type { IdSource } from "@ridegrid/domain";
import { apiError, callerOf, untilAborted } from "@ridegrid/rpc";
import { positionsInFlightMax } from "../limits.ts";
import type { PositionsFate, SubmitPositions } from "../submit-positions.ts";

export interface PositionStreams {
  /** Ends the driver's older stream; the signal aborts when a newer one comes. */
  open(driverId: string): PositionStream;
}

/** `id` is a UUIDv7: a newer stream's is greater. */
export type PositionStream = { readonly id: string; readonly superseded: AbortSignal; close(): void };

export function createPositionStreams(ids: IdSource): PositionStreams {
  const streams = new Map<string, AbortController>();
  return {
    open(driverId) {
      streams.get(driverId)?.abort(superseded());
      const own = new AbortController();
      streams.set(driverId, own);
      return {
        id: ids.uuid(),
        superseded: own.signal,
        close: () => {
          if (streams.get(driverId) === own) streams.delete(driverId);
        },
      };
    },
  };
}

export type StreamPositionsDeps = { readonly submit: SubmitPositions; readonly streams: PositionStreams };

export async function* streamPositions(
  deps: StreamPositionsDeps,
  requests: AsyncIterable<StreamPositionsRequest>,
  context: HandlerContext,
): AsyncIterable<StreamPositionsResponse> {
  const driverId = callerOf(context).principal;
  const stream = deps.streams.open(driverId);
  try {
    const submit = (request: StreamPositionsRequest) => deps.submit({ driverId, streamId: stream.id }, [positionOf(request)]);
    yield* untilAborted(acknowledgements(submit, requests, context.signal), AbortSignal.any([stream.superseded, context.signal]));
  } finally {
    stream.close();
  }
}

/** In the order the positions came: an acknowledgement never runs ahead of an older position. */
async function* acknowledgements(
  submit: (request: StreamPositionsRequest) => Promise<PositionsFate>,
  requests: AsyncIterable<StreamPositionsRequest>,
  signal: AbortSignal,
): AsyncIterable<StreamPositionsResponse> {
  const inFlight = createWindow<PositionsFate>(positionsInFlightMax);
  void readAll(requests, signal, inFlight, submit);
  let ackedSequence = 0n;
  for await (const fate of inFlight) {
    if (fate.superseded) throw superseded();
    if (fate.ackedSequence > ackedSequence) ackedSequence = fate.ackedSequence;
    yield create(StreamPositionsResponseSchema, { ackedSequence, rejected: fate.rejected });
  }
}

function superseded(): Error {
  return apiError("SUPERSEDED", "A newer position stream of this driver took this one's place");
}

/** Never rejects: what goes wrong ends the window. */
async function readAll<T>(
  requests: AsyncIterable<StreamPositionsRequest>,
  signal: AbortSignal,
  inFlight: Window<T>,
  submit: (request: StreamPositionsRequest) => Promise<T>,
): Promise<void> {
  try {
    for await (const request of untilAborted(requests, signal)) await inFlight.push(submit(request));
    inFlight.end(undefined);
  } catch (error) {
    inFlight.end({ error });
  }
}

function positionOf({ sequence, location, headingDegrees, speedMps, accuracyM, observeTime }: StreamPositionsRequest) {
  return create(PositionSchema, { sequence, headingDegrees, speedMps, accuracyM, ...(location && { location }), ...(observeTime && { observeTime }) });
}

interface Window<T> extends AsyncIterable<T> {
  /** Resolves when there is room for one more. */
  push(result: Promise<T>): Promise<void>;
  end(failure: { readonly error: unknown } | undefined): void;
}

function createWindow<T>(max: number): Window<T> {
  const results: Promise<T>[] = [];
  let ended: { readonly failure: { readonly error: unknown } | undefined } | undefined;
  let onChange = Promise.withResolvers<void>();
  const changed = (): void => {
    onChange.resolve();
    onChange = Promise.withResolvers<void>();
  };
  return {
    async push(result) {
      result.catch(() => {}); // Seen when its turn comes.
      results.push(result);
      changed();
      while (results.length >= max) await onChange.promise;
    },
    end(failure) {
      ended ??= { failure };
      changed();
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const first = results[0];
        if (first !== undefined) {
          const value = await first;
          void results.shift();
          changed();
          yield value;
        } else if (ended !== undefined) {
          if (ended.failure !== undefined) throw ended.failure.error;
          return;
        } else {
          await onChange.promise;
        }
      }
    },
  };
}
