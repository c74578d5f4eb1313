/** A client in a process of its own that sends one request over and over, a round when asked: for measuring servers of this process. */
import { join } from "node:path";
import { startProgram } from "./line-program.ts";

export type LoadTarget = {
  readonly port: number;
  readonly protocol: "http/1.1" | "h2c";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly bodyBase64: string;
  /** Connections of HTTP/1.1, streams of h2c. */
  readonly connections: number;
};

export type LoadOptions = LoadTarget & { readonly warmUpCalls: number; readonly callsPerRound: number };

export interface HttpLoad extends AsyncDisposable {
  /** One round. @throws when a call was not answered with 200. */
  round(): Promise<{ readonly calls: number; readonly seconds: number; readonly serverCpuSeconds: number }>;
}

/** Resolves after the warm-up. The server's time is this process's, so nothing else may go on in it. */
export async function startHttpLoad({ warmUpCalls, callsPerRound, ...target }: LoadOptions): Promise<HttpLoad> {
  const program = startProgram(join(import.meta.dir, "test-programs/http-load.ts"), target);
  await program.ask({ calls: warmUpCalls });
  return {
    async round() {
      const before = process.cpuUsage();
      const { seconds } = await program.ask<{ readonly seconds: number }>({ calls: callsPerRound });
      const { user, system } = process.cpuUsage(before);
      return { calls: callsPerRound, seconds, serverCpuSeconds: (user + system) / 1e6 };
    },
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}
