/** The `ops` command: reads arguments and environment, prints one answer, exits 1 on a refusal, a fault or a finding. */
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { OpsService } from "@ridegrid/contracts";
import { reasonOf } from "@ridegrid/rpc";
import { runCommand, usage } from "./app.ts";
import { readCommandLine, UsageError } from "./command-line.ts";
import { operatorToken } from "./operator-token.ts";

process.exitCode = await main(Bun.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  try {
    const line = readCommandLine(args);
    const token = await operatorToken(line.flags.url, line.flags.token ?? process.env["RIDEGRID_TOKEN"]);
    const transport = createConnectTransport({
      baseUrl: line.flags.url,
      useBinaryFormat: true,
      defaultTimeoutMs: 15_000,
      interceptors: [
        (next) => (request) => {
          request.header.set("authorization", `Bearer ${token}`);
          return next(request);
        },
      ],
    });
    const result = await runCommand(line, { client: createClient(OpsService, transport), uuid: () => Bun.randomUUIDv7() });
    console.log(line.flags.json ? JSON.stringify(result.json) : result.text);
    return result.failed === true ? 1 : 0;
  } catch (error) {
    if (error instanceof UsageError) console.error(`${error.message}\n\n${usage()}`);
    else console.error([reasonOf(error), error instanceof Error ? error.message : String(error)].filter(Boolean).join(": "));
    return 1;
  }
}
