/** A program in a process of its own, and both ends of what is said to it: a line of JSON for a command, one for its answer. */
import { createInterface } from "node:readline";
import { Readable } from "node:stream";

export type Command = Readonly<Record<string, unknown>>;

export interface LineProgram extends AsyncDisposable {
  readonly pid: number;
  /** One command, one answer; one at a time. @throws when the program ended instead. */
  ask<T>(command: Command): Promise<T>;
}

/** `script`: its path; it finds `options` as JSON in its first argument, and ends when its input does. */
export function startProgram(script: string, options: Command): LineProgram {
  const child = Bun.spawn([process.execPath, script, JSON.stringify(options)], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: Readable.fromWeb(child.stdout) })[Symbol.asyncIterator]();
  return {
    pid: child.pid,
    async ask(command) {
      void child.stdin.write(`${JSON.stringify(command)}\n`);
      void child.stdin.flush();
      const next = await lines.next();
      if (next.done === true) throw new Error(`Cannot ask ${script} for ${JSON.stringify(command)}: it ended with ${await child.exited}`);
      return JSON.parse(next.value);
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** The program's own end. The process ends when its input does, or a command fails. */
export async function answerCommands(answer: (command: Command) => Promise<unknown>): Promise<never> {
  for await (const line of createInterface({ input: process.stdin })) {
    const command: Command = JSON.parse(line);
    process.stdout.write(`${JSON.stringify((await answer(command)) ?? {})}\n`);
  }
  process.exit();
}
