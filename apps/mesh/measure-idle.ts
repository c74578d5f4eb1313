/**
 * `bun apps/mesh/measure-idle.ts [DIR] [SECONDS]`: the processor and memory that a running mesh uses, by process.
 *
 * Reads mesh.json and /proc: PSS shares pages among their users, so the sum is what the machine really gives. Linux only.
 */
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { readMeshFile } from "./mesh-file.ts";
import { parentOf } from "./process-identity.ts";

type Usage = { readonly name: string; readonly pid: number; readonly pssMb: number; readonly cpuSeconds: number };

const ticksPerSecond = 100;

const [directory = ".ridegrid", seconds = "20"] = process.argv.slice(2);
const file = readMeshFile(directory);
if (file === undefined) {
  process.stderr.write(`Cannot measure: no mesh runs in "${directory}"\n`);
  process.exit(1);
}
const before = usages(file.pids);
await sleep(Number(seconds) * 1_000);
const after = usages(file.pids);
const rows = after.map((usage) => ({
  ...usage,
  cpu: ((usage.cpuSeconds - (before.find(({ pid }) => pid === usage.pid)?.cpuSeconds ?? 0)) / Number(seconds)) * 100,
}));
for (const { name, pid, cpu, pssMb } of rows)
  process.stdout.write(`${name.padEnd(28)} ${String(pid).padStart(7)} ${cpu.toFixed(1).padStart(6)} % ${pssMb.toFixed(0).padStart(6)} MB\n`);
const total = (of: (row: (typeof rows)[number]) => number): number => rows.reduce((sum, row) => sum + of(row), 0);
process.stdout.write(
  `${"all".padEnd(36)} ${total((row) => row.cpu)
    .toFixed(1)
    .padStart(6)} % ${total((row) => row.pssMb)
    .toFixed(0)
    .padStart(6)} MB\n`,
);

/** The mesh's processes, and Postgres' backends as one row. */
function usages(pids: Readonly<Record<string, number>>): readonly Usage[] {
  const names = new Map<number, string[]>();
  for (const [name, pid] of Object.entries(pids)) names.set(pid, [...(names.get(pid) ?? []), name]);
  const own = [...names].map(([pid, all]) => ({ name: all.length > 3 ? "mesh with every app" : all.join("+"), pid, ...usageOf(pid) }));
  const backends = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => parentOf(pid) === pids["postgres"]);
  const each = backends.map(usageOf);
  const sum = (of: (usage: { readonly pssMb: number; readonly cpuSeconds: number }) => number): number => each.reduce((total, usage) => total + of(usage), 0);
  return [...own, { name: `postgres, ${backends.length} backends`, pid: 0, pssMb: sum((usage) => usage.pssMb), cpuSeconds: sum((usage) => usage.cpuSeconds) }];
}

function usageOf(pid: number): { readonly pssMb: number; readonly cpuSeconds: number } {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const pssKb = Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0);
    return { pssMb: pssKb / 1024, cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond };
  } catch {
    return { pssMb: 0, cpuSeconds: 0 };
  }
}
