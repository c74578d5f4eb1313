/** The report for people: one table, then what went wrong in words. */
import type { SimulationReport } from "./report.ts";

export function reportTable(report: SimulationReport): string {
  const { rides, waitSeconds, positions, platform } = report;
  const { rider, driver, operator, system } = rides.canceled;
  const wanted = rides.requested - rider;
  const rows: (readonly [string, string])[] = [
    ["city", `${report.market}, seed ${report.seed}, ${report.drivers} drivers, speedup ${report.speedup}, ${report.wallSeconds} s`],
    ["rides requested", String(rides.requested)],
    ["completed", `${rides.completed} (${share(rides.completed, wanted)} of those that their riders did not cancel)`],
    ["canceled", `rider ${rider}, driver ${driver}, operator ${operator}, system ${system}`],
    ["no drivers", String(rides.noDrivers)],
    ["not ended", `${report.open} open, ${report.turnedAway} never acknowledged`],
    ["wait, city seconds", `mean ${waitSeconds.mean}, p50 ${waitSeconds.p50}, p95 ${waitSeconds.p95}, p99 ${waitSeconds.p99}`],
    ["offers a ride", `${report.offersPerRide}, ${share(report.acceptance, 1)} accepted`],
    ["positions", `${positions.reported} reported, ${positions.acknowledged} acknowledged${counts(positions.rejected, ", rejected ")}`],
    [
      "platform says",
      platform === null
        ? "not asked"
        : `${platform.completed} completed, ${platform.canceled} canceled, ${platform.noDrivers} without drivers, ${platform.open} open`,
    ],
    ["repeated calls", counts(report.failures, "") || "none"],
    ["records", counts(report.records, "") || "not known"],
    ["violations", String(report.violations)],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const table = rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`);
  const details = report.violationDetails.map(({ invariant, detail }) => `  ${invariant}: ${detail}`);
  return [...table, ...details].join("\n");
}

function share(part: number, whole: number): string {
  return whole === 0 ? "–" : `${((100 * part) / whole).toFixed(1)} %`;
}

function counts(map: Readonly<Record<string, number>>, before: string): string {
  const parts = Object.entries(map).map(([name, value]) => `${name} ${value}`);
  return parts.length === 0 ? "" : `${before}${parts.join(", ")}`;
}
