/** How long a warm `dev` takes to its banner, and to the first ride that a driver of its city accepts. */
import { setTimeout as sleep } from "node:timers/promises";
import { createPostgres } from "@ridegrid/runtime";
import type { Figure, FigureOptions, Measurement } from "@ridegrid/testing";
import { startEmptyServer } from "./empty-servers.fixture.ts";
import { createMeshFolder, type MeshFolder } from "./mesh.fixture.ts";

export const figures: readonly Figure[] = [
  {
    name: "start",
    doc: "`main.ts dev` on a folder that was used before, from its process' start; without npx, which takes as long as it takes; the peer is a process with an empty Hono server until it answers",
    run: measureStart,
  },
];

const acceptWaitMs = 20_000;
/** Lets the city's drivers end what they began, so that the next start finds them free. */
const pauseMs = 500;

async function measureStart({ quick, signal }: FigureOptions): Promise<readonly Measurement[]> {
  const readyMs: number[] = [];
  const acceptedMs: number[] = [];
  const emptyMs: number[] = [];
  const folder = await createMeshFolder();
  try {
    // The first start makes the databases.
    await stopped(folder, await folder.dev("--no-city"));
    for (let round = 0; round < (quick ? 2 : 5) && !signal.aborted; round++) {
      emptyMs.push(await emptyStart());
      const startedAt = Date.now();
      const program = await folder.dev();
      readyMs.push(Date.now() - startedAt);
      acceptedMs.push((await firstAccept(folder.file().databaseUrl, startedAt)) - startedAt);
      await stopped(folder, program);
      await sleep(pauseMs);
    }
  } finally {
    await folder.reap();
  }
  const peer = { what: "an empty Hono server", samples: emptyMs };
  return [
    { what: "ready, with a city", unit: "ms", samples: readyMs, peer },
    { what: "first ride accepted", unit: "ms", samples: acceptedMs, peer },
  ];
}

async function emptyStart(): Promise<number> {
  const startedAt = performance.now();
  const server = await startEmptyServer();
  const millis = performance.now() - startedAt;
  server.stop();
  return millis;
}

/** When, by the clock of the database, which is this machine's. */
async function firstAccept(databaseUrl: string, sinceMs: number): Promise<number> {
  const sql = createPostgres({ url: databaseUrl, max: 1, applicationName: "ridegrid bench" });
  try {
    const deadline = Date.now() + acceptWaitMs;
    while (Date.now() < deadline) {
      const [row] = await sql<{ at: number | null }[]>`
        SELECT (extract(epoch FROM min(accept_time)) * 1000)::float8 AS at FROM coordinator.offer WHERE accept_time > ${new Date(sinceMs)}`;
      if (typeof row?.at === "number") return row.at;
      await sleep(50);
    }
    throw new Error(`Cannot tell when the first ride was accepted: none was in ${acceptWaitMs} ms`);
  } finally {
    await sql.end();
  }
}

async function stopped(folder: MeshFolder, program: Awaited<ReturnType<MeshFolder["dev"]>>): Promise<void> {
  program.signal("SIGTERM");
  const { code } = await program.ended;
  if (code !== 0) throw new Error(`Cannot start again in ${folder.directory}: the mesh ended with ${code}`);
}
