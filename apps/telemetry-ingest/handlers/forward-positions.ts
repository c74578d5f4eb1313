/**
 * `ForwardPositions`: one long-lived stream of pages, whose runs are answered when their fate is known.
 *
 * A fault ends the stream with its error; runs without an answer were not acknowledged, and their callers send them
 * again. A stream with too many pages in flight is not read until some are answered.
 */
import type { HandlerContext } from "@connectrpc/connect";
import { rowsIn } from "@ridegrid/contracts";
import type { ForwardPositionsRequest, ForwardPositionsResponse } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { apiError } from "@ridegrid/rpc";
import { pagesPerStreamMax, positionsPerPageMax } from "../limits.ts";
import type { PositionIntake } from "../position-intake.ts";
import { createResultQueue, type ResultQueue } from "../result-queue.ts";

export type ForwardPositionsDeps = {
  readonly intake: PositionIntake;
  /** Aborted when this process drains. */
  readonly draining: AbortSignal;
};

export async function* forwardPositions(
  deps: ForwardPositionsDeps,
  requests: AsyncIterable<ForwardPositionsRequest>,
  context: Pick<HandlerContext, "signal">,
): AsyncGenerator<ForwardPositionsResponse> {
  const queue = createResultQueue<ForwardPositionsResponse>();
  const inFlight = new Set<Promise<void>>();
  const stopping = apiError("DRAINING", "Cannot take more positions: this ingest is stopping");
  const drain = (): void => void Promise.all(inFlight).then(() => queue.end(stopping));
  if (deps.draining.aborted) drain();
  deps.draining.addEventListener("abort", drain);
  context.signal.addEventListener("abort", () => queue.end(context.signal.reason), { once: true });
  void readAll(deps, requests, { queue, inFlight });
  try {
    for await (const answers of queue) yield* answers;
  } finally {
    deps.draining.removeEventListener("abort", drain);
  }
}

type Answers = { readonly queue: ResultQueue<ForwardPositionsResponse>; readonly inFlight: Set<Promise<void>> };

/** Never rejects: what goes wrong ends the queue. */
async function readAll(
  { intake, draining }: ForwardPositionsDeps,
  requests: AsyncIterable<ForwardPositionsRequest>,
  { queue, inFlight }: Answers,
): Promise<void> {
  try {
    for await (const request of requests) {
      // What is in flight is still answered; what comes now goes to another process.
      if (draining.aborted) return;
      const rows = rowsIn(request);
      if (rows > positionsPerPageMax) throw apiError("TOO_LARGE", `Cannot take a page of ${rows} positions: at most ${positionsPerPageMax}`);
      const answered = intake.admit(request, queue.push).catch(queue.end);
      inFlight.add(answered);
      void answered.then(() => inFlight.delete(answered));
      if (inFlight.size >= pagesPerStreamMax) await Promise.race(inFlight);
    }
    await Promise.all(inFlight);
    queue.end();
  } catch (error) {
    queue.end(error);
  }
}
