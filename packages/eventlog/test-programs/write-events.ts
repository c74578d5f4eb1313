/**
 * Commits events at a steady rate, ten a transaction, as a coordinator under load does: `<outbox url> <region> <events/s> <seconds> <file>`.
 * Writes to the file, for each event's number, when its commit was answered; prints `written` when all are.
 *
 * With a fifth `log` place before the file it appends to that log instead, with no outbox: what the log alone takes.
 */
import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";
import { appendOutbox, type OutboxRow } from "../outbox.ts";
import { benchPartitions, benchTopic, openBenchLog, wallClockMs } from "./bench-log.ts";

const [url = "", region = "", rate = "0", seconds = "0", file = "", place = ""] = process.argv.slice(2);
const perTransaction = 10;
const connections = 8;
const total = Number(rate) * Number(seconds);
const answered = new Float64Array(total);
const filler = "nyc ewr rider-1 RideRequested Ioniq 5 US Dollar 12.34 ".repeat(4);

const write = place === "" ? outboxWriter() : logWriter();
const startedAt = performance.now();
let next = 0;
await Promise.all(Array.from({ length: connections }, writeWhenDue));
await Bun.write(file, answered);
process.stdout.write("written\n");
process.exit(0);

async function writeWhenDue(): Promise<void> {
  while (next < total) {
    const due = Math.floor(((performance.now() - startedAt) / 1_000) * Number(rate));
    if (next + perTransaction > due) {
      await sleep(1);
      continue;
    }
    const first = next;
    next += perTransaction;
    await write(Array.from({ length: perTransaction }, (_, index) => event(first + index)));
    answered.fill(wallClockMs(), first, first + perTransaction);
  }
}

/** The number comes first, so that the reader finds it. */
function event(number: number): OutboxRow {
  const eventId = Bun.randomUUIDv7();
  const payload = new TextEncoder().encode(`${number} ${eventId} ${filler}`);
  const headers = { "event-id": eventId, type: "RideRequested", traceparent: `00-${eventId.replaceAll("-", "")}-b7ad6b7169203331-01` };
  return { homeRegion: region, topic: benchTopic, partition: Math.floor(number / 2) % benchPartitions, key: eventId, eventId, payload, headers };
}

function outboxWriter() {
  const sql = postgres(url, { max: connections, onnotice: () => {} });
  return (rows: readonly OutboxRow[]) => appendOutbox(sql, rows);
}

function logWriter() {
  const log = openBenchLog(place);
  return async (rows: readonly OutboxRow[]): Promise<void> => {
    const sends = [...Map.groupBy(rows, (row) => row.partition)].map(([partition, of]) =>
      log.append(
        `${region}.${benchTopic}`,
        partition,
        of.map(({ key, payload, headers }) => ({ key, value: payload, headers })),
      ),
    );
    await Promise.all(sends);
  };
}
