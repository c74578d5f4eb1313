/** What a mesh that nobody uses takes from the machine, in one process and in many, beside an empty Postgres and an empty server. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Figure, FigureOptions, Measurement } from "@ridegrid/testing";
import { withMesh } from "./bench-mesh.fixture.ts";
import type { MeshFile } from "./mesh-file.ts";
import { withEmptyServers } from "./empty-servers.fixture.ts";
import { cpuBetween, cpuUsedBy, usageOf } from "./process-usage.ts";

export const figures: readonly Figure[] = [
  {
    name: "idle",
    doc: "`bun run dev -- --no-city` at rest, Postgres included; the peer is the same Postgres without a database of ours and a process with an empty Bun.serve",
    run: measureIdle,
  },
];

/** After its start: code that was compiled and pages that were written are not rest. */
const settleMs = 5_000;

type Rest = { readonly cpuPercent: readonly number[]; readonly pssMb: readonly number[]; readonly names: string };

async function measureIdle({ quick, signal }: FigureOptions): Promise<readonly Measurement[]> {
  const seconds = quick ? 2 : 5;
  const rounds = quick ? 2 : 4;
  const empty = await withEmptyServers((pids) => atRest(() => pids, seconds, rounds));
  const measured: Measurement[] = [];
  for (const [name, flags] of [
    ["one process", []],
    ["many processes", ["--processes"]],
  ] as const) {
    const mesh = await withMesh(flags, signal, (file: MeshFile) => atRest(() => file.pids, seconds, rounds));
    const peer = "an empty Postgres and Bun.serve";
    measured.push(
      { what: `processor, ${name}`, unit: "% of a core", samples: mesh.cpuPercent, peer: { what: peer, samples: empty.cpuPercent }, note: mesh.names },
      { what: `memory (PSS), ${name}`, unit: "MB", samples: mesh.pssMb, peer: { what: peer, samples: empty.pssMb } },
    );
  }
  return measured;
}

async function atRest(pids: () => Readonly<Record<string, number>>, seconds: number, rounds: number): Promise<Rest> {
  await sleep(settleMs);
  const cpuPercent: number[] = [];
  const pssMb: number[] = [];
  let names = "";
  for (let round = 0; round < rounds; round++) {
    const before = cpuUsedBy(pids());
    await sleep(seconds * 1_000);
    const after = usageOf(pids());
    const cpu = cpuBetween(before, after);
    cpuPercent.push(([...cpu.values()].reduce((sum, used) => sum + used, 0) / seconds) * 100);
    pssMb.push(after.reduce((sum, usage) => sum + usage.pssMb, 0));
    names = after.map(({ name, pssMb: mb }) => `${name} ${(((cpu.get(name) ?? 0) / seconds) * 100).toFixed(1)} % and ${mb.toFixed(0)} MB`).join(", ");
  }
  return { cpuPercent, pssMb, names };
}
