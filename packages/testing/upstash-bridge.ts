/** The bridge of `packages/runtime` for one test, on loopback, with two things that a test may do to it. */
import { createUpstashBridge } from "@ridegrid/runtime";

export type UpstashBridge = {
  readonly url: string;
  readonly token: string;
  /** How long each request waits before it is carried out: a slow Redis. */
  delayMs: number;
  /** Redis forgets everything, scripts too. */
  flush(): Promise<void>;
  stop(): Promise<void>;
};

export function startUpstashBridge({ redisPort, token }: { readonly redisPort: number; readonly token: string }): UpstashBridge {
  const bridge = createUpstashBridge({ redisUrl: `redis://127.0.0.1:${redisPort}`, token });
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      if (test.delayMs > 0) await Bun.sleep(test.delayMs);
      return await bridge.fetch(request);
    },
  });
  const test: UpstashBridge = {
    url: `http://127.0.0.1:${server.port}`,
    token,
    delayMs: 0,
    async flush() {
      await bridge.execute(["FLUSHALL"]);
      await bridge.execute(["SCRIPT", "FLUSH"]);
    },
    async stop() {
      await server.stop(true);
      bridge.close();
    },
  };
  return test;
}
