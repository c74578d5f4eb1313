/** The processor and memory that processes use, by /proc. Linux only: elsewhere everything reads as 0. */
import { readdirSync, readFileSync } from "node:fs";
import { parentOf } from "./process-identity.ts";

type ProcessCpu = { readonly name: string; readonly cpuSeconds: number; readonly pids: readonly number[] };
type ProcessUsage = ProcessCpu & { readonly pssMb: number };

const ticksPerSecond = 100;
/** Apps that share a process are named by the first few. */
const namesShownMax = 3;

/** By process, Postgres' backends with their server as one. */
export function cpuUsedBy(pids: Readonly<Record<string, number>>): readonly ProcessCpu[] {
  const names = new Map<number, string[]>();
  for (const [name, pid] of Object.entries(pids)) names.set(pid, [...(names.get(pid) ?? []), name]);
  return [...names].map(([pid, all]) => {
    const name = all.length > namesShownMax ? "mesh with every app" : all.join("+");
    return all.includes("postgres") ? { name, ...ofServer(pid) } : { name, cpuSeconds: cpuOf(pid), pids: [pid] };
  });
}

/** With memory, which takes the kernel up to a second to count: what is timed must not wait for it. PSS shares pages among their users: its sum is what the machine gives. */
export function usageOf(pids: Readonly<Record<string, number>>): readonly ProcessUsage[] {
  return cpuUsedBy(pids).map((used) => ({ ...used, pssMb: used.pids.reduce((sum, pid) => sum + pssOf(pid), 0) }));
}

/** CPU-seconds used between two readings, by name; a process that is new counts from its start. */
export function cpuBetween(before: readonly ProcessCpu[], after: readonly ProcessCpu[]): ReadonlyMap<string, number> {
  const then = new Map(before.map(({ name, cpuSeconds }) => [name, cpuSeconds]));
  return new Map(after.map(({ name, cpuSeconds }) => [name, Math.max(0, cpuSeconds - (then.get(name) ?? 0))]));
}

type MachineTicks = { readonly busy: number; readonly all: number };

/** A reading of the whole machine's processors; with an earlier one, the share that was busy since, whoever it was. */
export function machineBusy(): MachineTicks;
export function machineBusy(since: MachineTicks): number;
export function machineBusy(since?: MachineTicks): MachineTicks | number {
  const [, ...ticks] = (read("/proc/stat").split("\n")[0] ?? "").split(/\s+/).map(Number);
  const all = ticks.slice(0, 8).reduce((sum, each) => sum + each, 0);
  const busy = all - (ticks[3] ?? 0) - (ticks[4] ?? 0);
  return since === undefined ? { busy, all } : (busy - since.busy) / Math.max(1, all - since.all);
}

/** Backends that have ended count too: their server has waited for them. */
function ofServer(pid: number): Omit<ProcessCpu, "name"> {
  const all = [pid, ...childrenOf(pid)];
  const own = all.reduce((sum, one) => sum + cpuOf(one), 0);
  return { cpuSeconds: own + cpuOfEndedChildren(pid), pids: all };
}

function childrenOf(pid: number): readonly number[] {
  const all = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return all.map(Number).filter((one) => parentOf(one) === pid);
}

function cpuOf(pid: number): number {
  const fields = statOf(pid);
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / ticksPerSecond;
}

function cpuOfEndedChildren(pid: number): number {
  const fields = statOf(pid);
  return (Number(fields[13] ?? 0) + Number(fields[14] ?? 0)) / ticksPerSecond;
}

/** What follows the command's name, which may hold blanks. */
function statOf(pid: number): readonly string[] {
  const stat = read(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function pssOf(pid: number): number {
  return Number(/^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) / 1024;
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // It has ended.
    return "";
  }
}
