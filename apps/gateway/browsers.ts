/** Browsers of any origin may call and read the answers. Whoever is no browser names no origin, and pays nothing for it. */
import { cors as connectCors } from "@connectrpc/connect";
import type { Fetch } from "@ridegrid/rpc";
import type { MiddlewareHandler } from "hono";
import { cors } from "hono/cors";

const exposed = [...connectCors.exposedHeaders, "RateLimit", "RateLimit-Policy", "Retry-After"];

/** What a browser asks before it calls. */
export function preflight(): MiddlewareHandler {
  return cors({
    origin: "*",
    allowMethods: [...connectCors.allowedMethods],
    allowHeaders: [...connectCors.allowedHeaders, "Authorization", "Traceparent"],
    exposeHeaders: exposed,
    maxAge: 7_200,
  });
}

/** Around all routes, not a middleware among them: one that touches every answer costs a call as much as its gate. */
export function readableByBrowsers(fetch: Fetch): Fetch {
  return (request) => (request.headers.has("origin") ? readable(fetch(request)) : fetch(request));
}

async function readable(answer: Response | Promise<Response>): Promise<Response> {
  const response = await answer;
  response.headers.set("access-control-allow-origin", "*");
  response.headers.set("access-control-expose-headers", exposed.join(","));
  return response;
}
