/** What a command of `ops` is given and what it returns, and the few things all of them need. */
import { type DescMessage, type MessageShape, toJson } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import type { OpsService } from "@ridegrid/contracts";
import { type Flags, UsageError } from "./command-line.ts";

export type OpsClient = Client<typeof OpsService>;
export type CommandContext = { readonly client: OpsClient; readonly flags: Flags; readonly operands: readonly string[]; uuid(): string };

/** `text` is for people; `json` is the one object that `--json` prints; `failed` makes the exit code 1. */
export type CommandResult = { readonly text: string; readonly json: unknown; readonly failed?: boolean };
export type Command = { readonly usage: string; readonly does: string; run(context: CommandContext): Promise<CommandResult> };

/** The one operand a command takes. @throws UsageError naming it when it is missing or more were given. */
export function oneOperand(operands: readonly string[], name: string): string {
  const [operand, ...more] = operands;
  if (operand === undefined || more.length > 0) throw new UsageError(`Give one ${name}`);
  return operand;
}

export function messageJson<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): unknown {
  return toJson(schema, message, { useProtoFieldName: true, alwaysEmitImplicit: true });
}
