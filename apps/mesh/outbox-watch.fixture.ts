/** Looks at the coordinator's outbox several times a second: how high it grew, and when what waited in it is in the log. */
import { readOutboxBacklog } from "@ridegrid/eventlog";
import { createPostgres } from "@ridegrid/runtime";
import { eventually } from "@ridegrid/testing";
import type { MeshFolder } from "./mesh.fixture.ts";

export interface OutboxWatch {
  /** The most rows that waited at once, both regions' together. */
  peak(): number;
  /** Milliseconds from now until nothing waits that waits now. */
  drained(): Promise<number>;
  stop(): Promise<void>;
}

const everyMs = 200;
const drainTimeoutMs = 60_000;

export function watchOutbox(folder: MeshFolder): OutboxWatch {
  const sql = createPostgres({ url: folder.file().databaseUrl, role: "coordinator", schema: "coordinator", max: 2, applicationName: "outbox watch" });
  let peak = 0;
  let stopped = false;
  async function look(): Promise<number> {
    const { regions } = await readOutboxBacklog(sql);
    peak = Math.max(
      peak,
      regions.reduce((sum, { rows }) => sum + rows, 0),
    );
    return Math.max(0, ...regions.map(({ oldestAgeMs }) => oldestAgeMs));
  }
  async function run(): Promise<void> {
    while (!stopped) {
      await look();
      await Bun.sleep(everyMs);
    }
  }
  const running = run();
  return {
    peak: () => peak,
    async drained() {
      const began = performance.now();
      const isDrained = async (): Promise<boolean> => (await look()) < performance.now() - began;
      await eventually(isDrained, { timeoutMs: drainTimeoutMs, pollMs: everyMs / 2, what: "an outbox without what waited in it" });
      return Math.round(performance.now() - began);
    },
    async stop() {
      stopped = true;
      await running;
      await sql.end();
    },
  };
}
