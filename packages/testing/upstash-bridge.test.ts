/** What the bridge says to those who do not speak Upstash's protocol, and how it answers those who do. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type RedisServer, redisServerMissing, startRedisServer } from "./redis-server.ts";
import { startUpstashBridge, type UpstashBridge } from "./upstash-bridge.ts";

const missing = redisServerMissing();
if (missing === null) {
  let server: RedisServer;
  let bridge: UpstashBridge;
  beforeAll(async () => {
    server = await startRedisServer();
    bridge = startUpstashBridge({ redisPort: server.port, token: "secret" });
  });
  afterAll(async () => {
    await bridge.stop();
    await server.stop();
  });

  const post = async (path: string, body: string, headers: Readonly<Record<string, string>> = {}): Promise<readonly [number, unknown]> => {
    const response = await fetch(`${bridge.url}${path}`, { method: "POST", body, headers: { authorization: "Bearer secret", ...headers } });
    return [response.status, await response.json()];
  };

  test("one command is answered, in base64 where that is asked for", async () => {
    expect(await post("/", '["SET","name","alice"]')).toEqual([200, { result: "OK" }]);
    expect(await post("/", '["GET","name"]')).toEqual([200, { result: "alice" }]);
    expect(await post("/", '["GET","name"]', { "upstash-encoding": "base64" })).toEqual([200, { result: "YWxpY2U=" }]);
  });

  test("a pipeline answers each command, a failed one with its error", async () => {
    const [status, answers] = await post("/pipeline", '[["SET","count",1],["INCR","count"],["LPUSH","count","x"]]');
    expect([status, answers]).toEqual([200, [{ result: "OK" }, { result: 2 }, { error: expect.stringContaining("WRONGTYPE") }]]);
  });

  test("a script with Upstash's flag line runs, by its text and by its hash", async () => {
    const script = "#!lua flags=allow-key-locking\nreturn tonumber(ARGV[1]) + 1";
    expect(await post("/", JSON.stringify(["EVAL", script, 0, 41]))).toEqual([200, { result: 42 }]);
    const hash = new Bun.CryptoHasher("sha1").update(script).digest("hex");
    expect(await post("/", JSON.stringify(["EVALSHA", hash, 0, 42]))).toEqual([200, { result: 43 }]);
  });

  test.each([
    ["/", '["GET","name"]', { authorization: "Bearer wrong" }, 401, "WRONGPASS"],
    ["/", "not json", {}, 400, "must be a command"],
    ["/", "[]", {}, 400, "must be a command"],
    ["/", '["NONSENSE"]', {}, 400, "unknown command"],
    ["/pipeline", '["GET","name"]', {}, 400, "at most 1000 commands"],
    ["/pipeline", JSON.stringify(Array.from({ length: 1_001 }, () => ["PING"])), {}, 400, "at most 1000 commands"],
    ["/multi-exec", '[["PING"]]', {}, 404, "unknown path"],
  ])("POST %s of %s is refused in words", async (path, body, headers, status, part) => {
    expect(await post(path, body, headers)).toEqual([status, { error: expect.stringContaining(part) }]);
  });
} else {
  test.skip(`the bridge to Upstash's protocol (${missing})`, () => {});
}
