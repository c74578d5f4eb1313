/** The report: the contract's fields, and numbers that follow from the tally. */
import { describe, expect, test } from "bun:test";
import { buildReport, type ReportInput } from "./report.ts";
import { reportTable } from "./report-table.ts";
import { createTally, type Tally } from "./tally.ts";

function tallied(changes: Partial<Tally>): Tally {
  return Object.assign(createTally(), changes);
}

function input(tally: Tally): ReportInput {
  return { seed: 7, drivers: 10, speedup: 20, market: "nyc", tally, violations: 0, violationDetails: [], wallSeconds: 61.24, platform: null, records: {} };
}

describe("buildReport()", () => {
  test("has the fields of the contract", () => {
    const tally = tallied({ requested: 10, completed: 6, noDrivers: 1, canceled: { rider: 1, driver: 0, operator: 0, system: 1 }, offers: 15, accepted: 9 });
    const report = buildReport(input(tally));
    expect(report).toMatchObject({ seed: 7, rides: { requested: 10, completed: 6, canceled: { rider: 1, driver: 0, operator: 0, system: 1 }, noDrivers: 1 } });
    expect(report).toMatchObject({ offersPerRide: 1.5, acceptance: 0.6, violations: 0, wallSeconds: 61.2, open: 1 });
  });

  test("takes percentiles by nearest rank, whatever the order of the waits", () => {
    const waits = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(buildReport(input(tallied({ waits }))).waitSeconds).toEqual({ mean: 50.5, p50: 50, p95: 95, p99: 99 });
    expect(buildReport(input(tallied({ waits: [4] }))).waitSeconds).toEqual({ mean: 4, p50: 4, p95: 4, p99: 4 });
  });

  test("reports zeros for a city in which nothing happened", () => {
    const report = buildReport(input(createTally()));
    expect(report.waitSeconds).toEqual({ mean: 0, p50: 0, p95: 0, p99: 0 });
    expect({ offersPerRide: report.offersPerRide, acceptance: report.acceptance }).toEqual({ offersPerRide: 0, acceptance: 0 });
  });
});

test("reportTable() tells the share completed of the rides that their riders did not cancel, and each violation", () => {
  const report = buildReport({
    ...input(tallied({ requested: 11, completed: 9, canceled: { rider: 1, driver: 0, operator: 0, system: 0 } })),
    violations: 1,
    violationDetails: [{ invariant: "I1", detail: "two drivers" }],
  });
  const table = reportTable(report);
  expect(table).toContain("9 (90.0 % of those that their riders did not cancel)");
  expect(table).toContain("I1: two drivers");
});
