/**
 * Reads every partition of a region's topic as its consumers do and notes when each event came: `<log place> <region> <events> <file>`.
 * Prints `watching` when it reads and, when all have come, writes the times by event number to the file and prints how many came again.
 */
import { benchPartitions, benchTopic, openBenchLog, wallClockMs } from "./bench-log.ts";

const [place = "", region = "", events = "0", file = ""] = process.argv.slice(2);
const log = openBenchLog(place);
const seen = new Float64Array(Number(events));
const limits = { maxRecords: 2_000, maxBytes: 4_000_000, maxWaitMs: 500 };
const never = new AbortController().signal;
let missing = seen.length;
let repeated = 0;

// Its readers are connected before anybody writes.
await Promise.all(Array.from({ length: benchPartitions }, (_, partition) => log.bounds(`${region}.${benchTopic}`, partition)));
const watching = Array.from({ length: benchPartitions }, (_, partition) => watch(partition));
process.stdout.write("watching\n");
await Promise.all(watching);
await Bun.write(file, seen);
process.stdout.write(`seen, ${repeated} repeated\n`);
process.exit(0);

async function watch(partition: number): Promise<void> {
  for (let offset = 0; missing > 0;) {
    const records = await log.read(`${region}.${benchTopic}`, partition, offset, limits, never);
    const nowMs = wallClockMs();
    for (const { value } of records) note(Number.parseInt(Buffer.from(value.buffer, value.byteOffset, 12).toString("latin1"), 10), nowMs);
    offset = (records.at(-1)?.offset ?? offset - 1) + 1;
  }
}

function note(number: number, nowMs: number): void {
  if (seen[number] !== 0) {
    repeated++;
    return;
  }
  seen[number] = nowMs;
  missing--;
}
