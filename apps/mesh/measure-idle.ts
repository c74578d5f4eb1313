/** `bun apps/mesh/measure-idle.ts [DIR] [SECONDS]`: the processor and memory that a running mesh uses, by process. Linux only. */
import { setTimeout as sleep } from "node:timers/promises";
import { readMeshFile } from "./mesh-file.ts";
import { cpuBetween, cpuUsedBy, usageOf } from "./process-usage.ts";

const [directory = ".ridegrid", seconds = "20"] = process.argv.slice(2);
const file = readMeshFile(directory);
if (file === undefined) {
  process.stderr.write(`Cannot measure: no mesh runs in "${directory}"\n`);
  process.exit(1);
}
const before = cpuUsedBy(file.pids);
await sleep(Number(seconds) * 1_000);
const after = usageOf(file.pids);
const cpu = cpuBetween(before, after);
const percentOf = (cpuSeconds: number): number => (cpuSeconds / Number(seconds)) * 100;
for (const { name, pssMb } of after) print(name, percentOf(cpu.get(name) ?? 0), pssMb);
const total = (values: Iterable<number>): number => [...values].reduce((sum, value) => sum + value, 0);
print("all", percentOf(total(cpu.values())), total(after.map(({ pssMb }) => pssMb)));

function print(name: string, percent: number, megabytes: number): void {
  process.stdout.write(`${name.padEnd(28)} ${percent.toFixed(1).padStart(6)} % ${megabytes.toFixed(0).padStart(6)} MB\n`);
}
