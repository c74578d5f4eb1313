/**
 * `ops`: what an operator does from a terminal, on `OpsService` alone. Tables for people, `--json` for programs.
 *
 * Knows no socket and no environment: it is given a client, and returns what to print.
 */
import type { Command, CommandResult, OpsClient } from "./command.ts";
import { type CommandLine, UsageError } from "./command-line.ts";
import { changeCommands } from "./commands/changes.ts";
import { readCommands } from "./commands/reads.ts";

const commands: Readonly<Record<string, Command>> = { ...readCommands, ...changeCommands };

export async function runCommand(line: CommandLine, deps: { readonly client: OpsClient; uuid(): string }): Promise<CommandResult> {
  const command = Object.hasOwn(commands, line.command) ? commands[line.command] : undefined;
  if (command === undefined) throw new UsageError(`Unknown command "${line.command}"`);
  return command.run({ ...deps, flags: line.flags, operands: line.operands });
}

export function usage(): string {
  const width = Math.max(...Object.values(commands).map((command) => command.usage.length));
  const lines = Object.values(commands).map((command) => `  ${command.usage.padEnd(width)}  ${command.does}`);
  return ["ops COMMAND [--url http://localhost:8001] [--token T] [--json]", "", ...lines].join("\n");
}
