/**
 * Sends one request over and over on kept connections, in a process of its own so that its cost is not the server's.
 *
 * Options: `LoadTarget`. Command: `{ calls }`, answered with `{ seconds }`. Any answer but 200 ends it.
 */
import { connect } from "node:http2";
import type { LoadTarget } from "../http-load.ts";
import { answerCommands } from "../line-program.ts";

const options: LoadTarget = JSON.parse(process.argv[2] ?? "{}");
const body = Buffer.from(options.bodyBase64, "base64");
const round = options.protocol === "h2c" ? await overHttp2() : await overHttp1();

await answerCommands(async ({ calls }) => {
  const startMs = performance.now();
  await round(Number(calls));
  return { seconds: (performance.now() - startMs) / 1_000 };
});

type Round = (calls: number) => Promise<void>;

/** By hand: a client library would take more of the machine than the server that is measured. */
async function overHttp1(): Promise<Round> {
  const headers = { host: `127.0.0.1:${options.port}`, ...options.headers, "content-length": String(body.byteLength) };
  const lines = [`POST ${options.path} HTTP/1.1`, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`), "", ""];
  const request = Buffer.concat([Buffer.from(lines.join("\r\n")), body]);
  let left = 0;
  let waiting = 0;
  let closed = false;
  let done = Promise.withResolvers<void>();
  const send = (socket: Bun.Socket<{ received: string }>): void => {
    if (left === 0) return;
    left--;
    waiting++;
    socket.write(request);
  };
  const open = (): Promise<Bun.Socket<{ received: string }>> =>
    Bun.connect<{ received: string }>({
      hostname: "127.0.0.1",
      port: options.port,
      data: { received: "" },
      socket: {
        data(socket, chunk) {
          socket.data.received += chunk.toString("latin1");
          if (!isWhole(socket.data.received)) return;
          if (!socket.data.received.startsWith("HTTP/1.1 200")) fail(socket.data.received);
          socket.data.received = "";
          waiting--;
          send(socket);
          if (waiting === 0) done.resolve();
        },
        close() {
          closed = true;
          if (waiting > 0) fail("the server closed the connection");
        },
      },
    });
  const sockets = await Promise.all(Array.from({ length: options.connections }, open));
  return async (calls) => {
    if (closed) fail("the server closed the connection");
    left = calls;
    done = Promise.withResolvers();
    sockets.forEach(send);
    await done.promise;
  };
}

function isWhole(received: string): boolean {
  const end = received.indexOf("\r\n\r\n");
  const length = Number(/content-length: (\d+)/i.exec(received)?.[1] ?? Number.NaN);
  return end >= 0 && received.length >= end + 4 + length;
}

/** One connection, as many streams at a time as there would be connections. */
async function overHttp2(): Promise<Round> {
  const session = connect(`http://127.0.0.1:${options.port}`);
  const headers = { ":method": "POST", ":path": options.path, ...options.headers, "content-length": String(body.byteLength) };
  const call = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const stream = session.request(headers);
      stream.on("response", (answer) => {
        if (answer[":status"] !== 200) fail(`status ${String(answer[":status"])}`);
      });
      stream.on("data", () => {});
      stream.on("end", resolve);
      stream.on("error", reject);
      stream.end(body);
    });
  return async (calls) => {
    let left = calls;
    const lane = async (): Promise<void> => {
      while (left-- > 0) await call();
    };
    await Promise.all(Array.from({ length: options.connections }, lane));
  };
}

function fail(why: string): never {
  process.stderr.write(`Cannot go on with the load: ${why}\n`);
  process.exit(1);
}
