/**
 * A relay in a process of its own, with a log that now and then kills or stops the process in the middle of a page:
 * `<url> <name> <seed> <crash probability> <pause probability>`. Says `pausing` before it stops itself and `fenced` when taken over.
 */
import { writeSync } from "node:fs";
import { createSeededRandom, createTestContext } from "@ridegrid/testing";
import postgres from "postgres";
import { createEmbeddedEventLog } from "../event-log.embedded.ts";
import type { EventLog } from "../event-log.ts";
import { createRelay } from "../relay.ts";

const [url = "", name = "", seed = "0", crash = "0", halt = "0"] = process.argv.slice(2);
const random = createSeededRandom(Number(seed));
const say = (line: string): void => void writeSync(1, `${line}\n`);
const log = createEmbeddedEventLog({ sql: postgres(url, { max: 4, onnotice: () => {} }), clock: { nowMs: () => Date.now() } });

const chaotic: EventLog = {
  ...log,
  async append(topic, partition, records) {
    const dice = random.next();
    if (dice < Number(crash)) {
      await log.append(topic, partition, records.slice(0, Math.ceil(random.next() * records.length)));
      process.kill(process.pid, "SIGKILL");
    }
    if (dice > 1 - Number(halt)) {
      say("pausing");
      process.kill(process.pid, "SIGSTOP");
    }
    await log.append(topic, partition, records);
  },
};

const quiet = (): void => {};
const logger = { info: (_: object, message: string) => (message.includes("was taken over") ? say("fenced") : undefined), warn: quiet, error: quiet };
const relay = createRelay({
  context: { processId: name, random, logger, meter: createTestContext().meter },
  sql: postgres(url, { max: 3, onnotice: () => {} }),
  writer: "race",
  regions: ["ewr"],
  eventLog: () => chaotic,
  limits: { leaseMs: 500, renewMs: 125, pageRows: 40 },
});
process.stdin.on("end", () => process.exit(0)).resume();
await relay.start();
