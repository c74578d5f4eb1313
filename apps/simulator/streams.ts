/**
 * Watch streams that outlive connections: each resumes after the last cursor it saw, with backoff, until its owner is
 * done with it. A stream that brings nothing, not even a heartbeat, is cut and resumed.
 */
import type { CallOptions } from "@connectrpc/connect";
import type { Clock } from "./clock.ts";
import { failureOf } from "./failure.ts";
import type { GatewayClient, StreamClients } from "./gateway-client.ts";
import type { Identity } from "./identity.ts";
import { streamBackoffBaseMs, streamBackoffMaxMs, streamSilenceMaxMs, streamSweepMs } from "./limits.ts";
import { childController, pause } from "./pause.ts";
import type { Random } from "./random.ts";

export type Watch<M> = {
  readonly identity: Identity;
  readonly open: (clients: StreamClients, cursor: string, options: CallOptions) => AsyncIterable<M>;
  /** True when the owner has seen all it wanted. `resumed` marks the first message of a connection after the first one. */
  readonly onMessage: (message: M, resumed: boolean) => boolean;
  readonly signal: AbortSignal;
};

export interface Streams {
  /** Resolves when the owner is done or the signal aborts; never rejects. */
  watch<M extends { readonly cursor: string }>(watch: Watch<M>): Promise<void>;
  close(): void;
}

export type StreamsDeps = { readonly gateway: GatewayClient; readonly clock: Clock; readonly random: Random; readonly onFailure: (reason: string) => void };
type Live = { seenAtMs: number; readonly cut: () => void };

export function createStreams({ gateway, clock, random, onFailure }: StreamsDeps): Streams {
  const live = new Set<Live>();
  // One sweep for all streams: a timer per stream would be reset at every message.
  const sweep = setInterval(() => {
    const before = clock.nowMs() - streamSilenceMaxMs;
    for (const stream of live) if (stream.seenAtMs < before) stream.cut();
  }, streamSweepMs);
  sweep.unref();

  async function watch<M extends { readonly cursor: string }>({ identity, open, onMessage, signal }: Watch<M>): Promise<void> {
    let cursor = "";
    let failures = 0;
    for (let connection = 0; !signal.aborted; connection++) {
      const { controller, dispose } = childController(signal);
      const lease = gateway.leaseStream();
      const stream: Live = { seenAtMs: clock.nowMs(), cut: () => controller.abort() };
      live.add(stream);
      try {
        const headers = await identity.headers();
        let resumed = connection > 0;
        for await (const message of open(lease.clients, cursor, { headers, signal: controller.signal })) {
          stream.seenAtMs = clock.nowMs();
          failures = 0;
          if (message.cursor !== "") cursor = message.cursor;
          if (onMessage(message, resumed)) return;
          resumed = false;
        }
        onFailure("STREAM_ENDED");
      } catch (error) {
        if (signal.aborted) return;
        const failure = failureOf(error);
        if (failure.kind === "token") identity.renew();
        onFailure(`STREAM_${failure.reason}`);
      } finally {
        live.delete(stream);
        lease.release();
        dispose();
        controller.abort();
      }
      await pause(Math.min(streamBackoffMaxMs, streamBackoffBaseMs * 2 ** Math.min(failures++, 10)) * (0.5 + random.next() / 2), signal);
    }
  }

  return { watch, close: () => clearInterval(sweep) };
}
