/** The simulator as a program: flags, files, signals, the progress on standard error and the report on standard output. */
import { createSimulation } from "./app.ts";
import { parseArguments, usage, type Arguments } from "./arguments.ts";
import { Complaint } from "./complaint.ts";
import { readGateways, readTrips } from "./inputs.ts";
import { endlessPace } from "./limits.ts";
import { createProgressView, type ProgressView } from "./progress.ts";
import { reportTable } from "./report-table.ts";
import type { TripsFile } from "./trips-file.ts";

/** What a shell answers for Ctrl-C. */
const interruptedExitCode = 130;

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  if (!(error instanceof Complaint)) throw error;
  process.stderr.write(`${error.message}\n`);
  return 1;
});
// Sockets that a platform keeps open must not keep the program.
process.exit();

async function main(args: readonly string[]): Promise<number> {
  const flags = parseArguments(args);
  if (flags.help) {
    process.stdout.write(usage);
    return 0;
  }
  if (flags.urls.length === 0)
    throw new Complaint('Cannot run the simulator: give the address of a gateway with --url, or use "bun run sim", which brings a platform of its own');
  const gateways = readGateways(flags.urls);
  const trips = flags.tripsPath === null ? null : readTrips(flags.tripsPath);
  const view = createProgressView({ write: (text) => void process.stderr.write(text), isTerminal: process.stderr.isTTY === true });
  if (trips !== null) tellBadRows(view, trips);
  const stop = stopSignal();
  const report = await createSimulation({
    gateways,
    market: flags.market,
    seed: flags.seed,
    drivers: flags.drivers,
    rides: flags.rides,
    speedup: flags.speedup,
    ...(trips === null ? {} : { trips }),
    paceFactor: flags.rides === null ? endlessPace : 1,
    clock: { nowMs: () => Date.now() },
    newRequestId: () => crypto.randomUUID(),
    onProgress: (progress) => view.show(progress),
    onNotice: (line) => view.notice(line),
    signal: stop,
  })
    .run()
    .finally(() => view.close());
  await print(flags, flags.json ? JSON.stringify(report) : reportTable(report));
  if (report.violations > 0) return 1;
  // Half a run proves nothing; an endless city has no other half.
  return stop.aborted && flags.rides !== null ? interruptedExitCode : 0;
}

function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => controller.abort());
  return controller.signal;
}

function tellBadRows(view: ProgressView, { badRows, badRowsShown }: TripsFile): void {
  if (badRows === 0) return;
  view.notice(`${badRows} rows of the trips file are bad and left out`);
  for (const { line, reason } of badRowsShown) view.notice(`  line ${line}: ${reason}`);
  if (badRows > badRowsShown.length) view.notice(`  and ${badRows - badRowsShown.length} more`);
}

/** Waits until the text is out: a pipe is not written at once. */
function print({ json }: Arguments, text: string): Promise<void> {
  return new Promise((resolve) => void process.stdout.write(json ? `${text}\n` : `\n${text}\n`, () => resolve()));
}
