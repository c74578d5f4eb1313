/** A client in a process of its own that sends one request over and over, a round when asked: for measuring servers of this process. */
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";

export type LoadOptions = {
  readonly port: number;
  readonly protocol: "http/1.1" | "h2c";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly bodyBase64: string;
  /** Connections of HTTP/1.1, streams of h2c. */
  readonly connections: number;
  readonly warmUpCalls: number;
  readonly callsPerRound: number;
};

export interface HttpLoad extends AsyncDisposable {
  /** One round. @throws when a call was not answered with 200. */
  round(): Promise<{ readonly calls: number; readonly seconds: number; readonly serverCpuSeconds: number }>;
}

/** Resolves after the warm-up. The server's time is this process's, so nothing else may go on in it. */
export async function startHttpLoad(options: LoadOptions): Promise<HttpLoad> {
  const program = join(import.meta.dir, "test-programs/http-load.ts");
  const child = Bun.spawn([process.execPath, program, JSON.stringify(options)], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: Readable.fromWeb(child.stdout) })[Symbol.asyncIterator]();
  const nextLine = async (): Promise<string> => {
    const next = await lines.next();
    if (next.done === true) throw new Error(`Cannot measure ${options.path} over ${options.protocol}: its load ended with ${await child.exited}`);
    return next.value;
  };
  await nextLine();
  return {
    async round() {
      const before = process.cpuUsage();
      void child.stdin.write("round\n");
      void child.stdin.flush();
      const seconds = Number(await nextLine());
      const { user, system } = process.cpuUsage(before);
      return { calls: options.callsPerRound, seconds, serverCpuSeconds: (user + system) / 1e6 };
    },
    async [Symbol.asyncDispose]() {
      child.kill();
      await child.exited;
    },
  };
}
