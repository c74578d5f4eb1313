/** The other end of `startProgram`: a JSON command a line on standard input, a line of JSON for each answer. */
import { createInterface } from "node:readline";

export type Command = Readonly<Record<string, unknown>>;

/** Ends the process when the input ends, or a command fails. */
export async function answerCommands(answer: (command: Command) => Promise<unknown>): Promise<never> {
  for await (const line of createInterface({ input: process.stdin })) {
    const command: Command = JSON.parse(line);
    process.stdout.write(`${JSON.stringify((await answer(command)) ?? {})}\n`);
  }
  process.exit();
}

/** At most so many at a time, in order. */
export async function inLanes<T>(items: readonly T[], lanes: number, work: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await work(item);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}
