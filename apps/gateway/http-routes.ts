/** The gateway's plain HTTP: liveness, readiness, metrics, browsers' preflights, and development tokens. */
import type { ReadinessPart } from "@ridegrid/runtime";
import { Hono } from "hono";
import { preflight } from "./browsers.ts";
import { type DevelopmentIssuer } from "./identity.development.ts";
import { isPrincipal, isPublicRole } from "./identity.ts";
import { developmentTokenTtlMaxSeconds } from "./limits.ts";

export type HttpRoutesDeps = {
  readonly readiness: () => readonly ReadinessPart[];
  readonly metricsText: (() => string | Promise<string>) | undefined;
  /** Undefined in production: then the token route does not exist. */
  readonly issuer: DevelopmentIssuer | undefined;
  /** The answer to an address that asked for too many tokens. */
  readonly refuseToken: (request: Request) => Promise<Response | undefined>;
};

export function httpRoutes({ readiness, metricsText, issuer, refuseToken }: HttpRoutesDeps): Hono {
  const app = new Hono();
  app.options("*", preflight());
  app.get("/livez", (context) => context.json({ status: "alive" }));
  app.get("/readyz", (context) => {
    const parts = readiness();
    const ready = parts.every((part) => part.ready);
    return context.json({ ready, parts }, ready ? 200 : 503);
  });
  if (metricsText !== undefined)
    app.get("/metrics", async (context) => context.text(await metricsText(), 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }));
  if (issuer !== undefined)
    app.post("/dev/token", async ({ req }) => (await refuseToken(req.raw)) ?? developmentToken(issuer, await req.json().catch(() => undefined)));
  return app;
}

async function developmentToken(issuer: DevelopmentIssuer, body: unknown): Promise<Response> {
  const asked = typeof body === "object" && body !== null ? body : {};
  const role = "role" in asked ? asked.role : undefined;
  const subject = "subject" in asked ? asked.subject : undefined;
  const ttlSeconds = "ttlSeconds" in asked ? asked.ttlSeconds : undefined;
  if (!isPublicRole(role)) return badRequest('"role" must be one of rider, driver, operator, viewer');
  if (!isPrincipal(subject)) return badRequest('"subject" must be a string of 1 to 128 characters');
  if (ttlSeconds === undefined) return Response.json({ token: await issuer.issue({ role, subject }) });
  if (typeof ttlSeconds !== "number" || !Number.isInteger(ttlSeconds) || ttlSeconds < 1 || ttlSeconds > developmentTokenTtlMaxSeconds)
    return badRequest(`"ttlSeconds" must be a whole number from 1 to ${developmentTokenTtlMaxSeconds}`);
  return Response.json({ token: await issuer.issue({ role, subject, ttlSeconds }) });
}

function badRequest(error: string): Response {
  return Response.json({ error }, { status: 400 });
}
