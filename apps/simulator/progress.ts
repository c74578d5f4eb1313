/** What a run tells while it goes on, and how it looks: a bar that redraws itself, or plain lines for a log. */
import { endlessLineIntervalMs, progressLineIntervalMs } from "./limits.ts";
import { canceledTotal, endedTotal, type Tally } from "./tally.ts";

export type Phase = "opening" | "running" | "ending" | "comparing" | "closing";

export type Progress = {
  readonly phase: Phase;
  /** Null in an endless city. */
  readonly rides: number | null;
  readonly drivers: number;
  readonly tally: Readonly<Tally>;
  readonly violations: number;
  readonly elapsedMs: number;
};

export interface ProgressView {
  show(progress: Progress): void;
  /** A line that stays. */
  notice(line: string): void;
  close(): void;
}

const barWidth = 24;

/** `write` goes to standard error; `isTerminal` says whether it can redraw a line. */
export function createProgressView({ write, isTerminal }: { readonly write: (text: string) => void; readonly isTerminal: boolean }): ProgressView {
  return isTerminal ? redrawing(write) : lineByLine(write);
}

function redrawing(write: (text: string) => void): ProgressView {
  const clear = "\r\u001b[2K";
  let shown = "";
  return {
    show(progress) {
      shown = progressBar(progress) + progressLine(progress);
      write(`${clear}${shown}`);
    },
    notice: (line) => write(`${clear}${line}\n${shown}`),
    close: () => write(clear),
  };
}

function lineByLine(write: (text: string) => void): ProgressView {
  let nextAtMs = 0;
  let phase: Phase | null = null;
  return {
    show(progress) {
      if (progress.phase === phase && progress.elapsedMs < nextAtMs) return;
      phase = progress.phase;
      nextAtMs = progress.elapsedMs + (progress.rides === null ? endlessLineIntervalMs : progressLineIntervalMs);
      write(`${progressLine(progress)}\n`);
    },
    notice: (line) => write(`${line}\n`),
    close: () => {},
  };
}

function progressBar({ phase, rides, drivers, tally }: Progress): string {
  const done = phase === "opening" ? tally.driversOnline / drivers : rides === null ? null : (endedTotal(tally) + tally.turnedAway) / rides;
  if (done === null) return "";
  const filled = Math.round(Math.min(1, done) * barWidth);
  return `[${"█".repeat(filled)}${"░".repeat(barWidth - filled)}] `;
}

function progressLine({ phase, rides, drivers, tally, violations, elapsedMs }: Progress): string {
  const ended = endedTotal(tally);
  const target = rides === null ? "" : `/${rides}`;
  const counts = `${tally.requested}${target} requested, ${tally.requested - ended} open, ${tally.completed} completed, ${canceledTotal(tally)} canceled, ${tally.noDrivers} no drivers`;
  const broken = violations === 0 ? "" : `, ${violations} VIOLATIONS`;
  return `${phase} ${(elapsedMs / 1_000).toFixed(0)} s: ${tally.driversOnline}/${drivers} drivers, ${counts}${broken}`;
}
