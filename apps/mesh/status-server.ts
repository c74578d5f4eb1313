/** What a process without a public edge tells those who run it: `/livez`, `/readyz` with its parts, `/metrics`. */
import type { ReadinessPart } from "@ridegrid/runtime";

export interface StatusServer {
  readonly url: string;
  stop(): Promise<void>;
}

export type StatusOptions = {
  readonly host: string;
  readonly port: number;
  readonly metricsText: () => Promise<string>;
  readonly readiness: () => readonly ReadinessPart[];
};

export function serveStatus({ host, port, metricsText, readiness }: StatusOptions): StatusServer {
  const server = Bun.serve({
    hostname: host,
    port,
    async fetch(request) {
      switch (new URL(request.url).pathname) {
        case "/livez":
          return Response.json({ live: true });
        case "/readyz": {
          const parts = readiness();
          const ready = parts.every((part) => part.ready);
          return Response.json({ ready, parts }, { status: ready ? 200 : 503 });
        }
        case "/metrics":
          return new Response(await metricsText(), { headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" } });
        default:
          return new Response("not found\n", { status: 404 });
      }
    },
  });
  return { url: `http://${host}:${server.port}`, stop: () => server.stop(true) };
}
