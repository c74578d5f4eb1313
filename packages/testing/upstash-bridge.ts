/**
 * Upstash's REST protocol in front of a plain Redis, so that `@upstash/redis` and `@upstash/ratelimit` are tested
 * against a real server: `POST /` one command, `/pipeline`, `/multi-exec`, a bearer token, base64 answers on request.
 *
 * Upstash's scripts open with a flag line that stock Redis refuses: it is cut off, and their hashes are mapped.
 */
import { RedisClient } from "bun";
import { createHash } from "node:crypto";

export type UpstashBridge = {
  readonly url: string;
  readonly token: string;
  /** How long each request waits before it is carried out: a slow Redis. */
  delayMs: number;
  /** Redis forgets everything, scripts too. */
  flush(): Promise<void>;
  stop(): Promise<void>;
};

type Answer = { readonly result: unknown } | { readonly error: string };

const flagLine = /^#!lua[^\n]*\n/;

export function startUpstashBridge(options: { readonly redisPort: number; readonly token: string; readonly port?: number }): UpstashBridge {
  const redis = new RedisClient(`redis://127.0.0.1:${options.redisPort}`, { connectionTimeout: 1_000, maxRetries: 1_000 });
  const hashes = new Map<string, string>();
  const execute = async (command: unknown): Promise<Answer> => {
    if (!Array.isArray(command) || command.length === 0) return { error: "ERR empty command" };
    const [name = "", ...args] = plainScript(command.map(String), hashes);
    try {
      return { result: await redis.send(name, args) };
    } catch (error) {
      return { error: error instanceof Error ? error.message : String(error) };
    }
  };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: options.port ?? 0,
    async fetch(request) {
      if (request.headers.get("authorization") !== `Bearer ${options.token}`)
        return Response.json({ error: "WRONGPASS invalid or missing auth token" }, { status: 401 });
      if (bridge.delayMs > 0) await Bun.sleep(bridge.delayMs);
      const encode = request.headers.get("upstash-encoding") === "base64" ? encodeAnswer : (answer: Answer) => answer;
      const body: unknown = await request.json();
      switch (new URL(request.url).pathname) {
        case "/": {
          const answer = await execute(body);
          return Response.json(encode(answer), { status: "error" in answer ? 400 : 200 });
        }
        case "/pipeline":
        case "/multi-exec":
          return Response.json((await Promise.all((Array.isArray(body) ? body : []).map(execute))).map(encode));
        default:
          return Response.json({ error: "ERR unknown path" }, { status: 404 });
      }
    },
  });
  const bridge: UpstashBridge = {
    url: `http://127.0.0.1:${server.port}`,
    token: options.token,
    delayMs: 0,
    async flush() {
      await redis.send("FLUSHALL", []);
      await redis.send("SCRIPT", ["FLUSH"]);
    },
    async stop() {
      await server.stop(true);
      redis.close();
    },
  };
  return bridge;
}

/** The command as stock Redis takes it. */
function plainScript(command: readonly string[], hashes: Map<string, string>): readonly string[] {
  const [name = "", script = "", ...rest] = command;
  switch (name.toLowerCase()) {
    case "eval": {
      const plain = script.replace(flagLine, "");
      hashes.set(sha1(script), sha1(plain));
      return [name, plain, ...rest];
    }
    case "evalsha":
      return [name, hashes.get(script) ?? script, ...rest];
    default:
      return command;
  }
}

/** Every string but "OK" is base64 in both directions of the protocol's answers. */
function encodeAnswer(answer: Answer): Answer {
  return "error" in answer ? answer : { result: encodeValue(answer.result) };
}

function encodeValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(encodeValue);
  return typeof value === "string" && value !== "OK" ? Buffer.from(value).toString("base64") : value;
}

function sha1(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}
