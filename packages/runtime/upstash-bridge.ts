/**
 * Upstash's REST protocol in front of a plain Redis, so that `@upstash/redis` and `@upstash/ratelimit` run against a
 * server of one's own: `POST /` one command, `/pipeline` several, a bearer token, base64 answers on request.
 *
 * Upstash's scripts open with a flag line that stock Redis refuses: it is cut off, and their hashes are mapped. It
 * speaks what our clients ask for and no more: no transactions, no subscriptions.
 */
import { RedisClient } from "bun";
import { createHash } from "node:crypto";
import { upstashBridgeConnectTimeoutMs, upstashBridgeReconnectsMax, upstashBridgeScriptsMax, upstashPipelineCommandsMax } from "./limits.ts";

export interface UpstashBridge {
  fetch(request: Request): Promise<Response>;
  execute(command: readonly string[]): Promise<UpstashAnswer>;
  close(): void;
}

export type UpstashAnswer = { readonly result: unknown } | { readonly error: string };

const flagLine = /^#!lua[^\n]*\n/;

export function createUpstashBridge({ redisUrl, token }: { readonly redisUrl: string; readonly token: string }): UpstashBridge {
  const redis = new RedisClient(redisUrl, { connectionTimeout: upstashBridgeConnectTimeoutMs, maxRetries: upstashBridgeReconnectsMax });
  const hashes = new Map<string, string>();

  async function execute(command: readonly string[]): Promise<UpstashAnswer> {
    const [name = "", ...args] = plainScript(command, hashes);
    try {
      return { result: await redis.send(name, args) };
    } catch (error) {
      return { error: error instanceof Error ? error.message : String(error) };
    }
  }

  return {
    execute,
    async fetch(request) {
      if (request.headers.get("authorization") !== `Bearer ${token}`)
        return Response.json({ error: "WRONGPASS invalid or missing auth token" }, { status: 401 });
      const encode = request.headers.get("upstash-encoding") === "base64" ? encodeAnswer : (answer: UpstashAnswer) => answer;
      const body: unknown = await request.json().catch(() => undefined);
      switch (new URL(request.url).pathname) {
        case "/": {
          const answer = isCommand(body) ? await execute(body.map(String)) : { error: "ERR the body must be a command: an array that is not empty" };
          return Response.json(encode(answer), { status: "error" in answer ? 400 : 200 });
        }
        case "/pipeline": {
          if (!Array.isArray(body) || body.length > upstashPipelineCommandsMax || !body.every(isCommand))
            return Response.json({ error: `ERR the body must be an array of at most ${upstashPipelineCommandsMax} commands` }, { status: 400 });
          return Response.json((await Promise.all(body.map((command) => execute(command.map(String))))).map(encode));
        }
        default:
          return Response.json({ error: "ERR unknown path" }, { status: 404 });
      }
    },
    close: () => redis.close(),
  };
}

function isCommand(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && value.length > 0;
}

/** The command as stock Redis takes it. */
function plainScript(command: readonly string[], hashes: Map<string, string>): readonly string[] {
  const [name = "", script = "", ...rest] = command;
  switch (name.toLowerCase()) {
    case "eval": {
      const plain = script.replace(flagLine, "");
      // A caller whose hash was forgotten is told NOSCRIPT and sends the script again.
      if (hashes.size >= upstashBridgeScriptsMax) hashes.clear();
      hashes.set(sha1(script), sha1(plain));
      return [name, plain, ...rest];
    }
    case "evalsha":
      return [name, hashes.get(script) ?? script, ...rest];
    default:
      return command;
  }
}

/** Every string but "OK" is base64 in the protocol's answers. */
function encodeAnswer(answer: UpstashAnswer): UpstashAnswer {
  return "error" in answer ? answer : { result: encodeValue(answer.result) };
}

function encodeValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(encodeValue);
  return typeof value === "string" && value !== "OK" ? Buffer.from(value).toString("base64") : value;
}

function sha1(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}
