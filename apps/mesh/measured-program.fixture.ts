/** The other side of `startServer`: says where it listens, then answers what this process uses until its input ends. */
import { createInterface } from "node:readline";
import type { MeasuredServer, Usage } from "./position-drivers.fixture.ts";

export async function answerUsage(ready: MeasuredServer["ready"]): Promise<void> {
  process.stdout.write(`${JSON.stringify(ready)}\n`);
  for await (const question of createInterface({ input: process.stdin })) {
    if (question === "usage at rest") await collectGarbage();
    process.stdout.write(`${JSON.stringify(usage())}\n`);
  }
}

async function collectGarbage(): Promise<void> {
  for (let times = 0; times < 3; times++) {
    Bun.gc(true);
    await Bun.sleep(200);
  }
}

function usage(): Usage {
  const { user, system } = process.cpuUsage();
  return { cpuSeconds: (user + system) / 1e6, residentBytes: process.memoryUsage.rss() };
}
