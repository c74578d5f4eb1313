/** The table's ratios, and the goals that are held against them. */
import { expect, test } from "bun:test";
import { type FigureResult, figureTable, meetsGoal } from "./figure-table.ts";
import type { Measurement } from "./figure.ts";

/** A machine that was twice as slow in the second turn, and for the peer also in the third. */
const measured = { what: "edge", unit: "calls", samples: [60, 30, 60], goal: { atLeast: 0.7 } };
const peer = { what: "bare", samples: [100, 50, 50] };
const inTurn: Measurement = { ...measured, peer };
const inPairs: Measurement = { ...measured, peer: { ...peer, inPairs: true } };

test("figureTable() compares medians, or pairs where samples are", () => {
  expect(rows([inTurn, inPairs])).toEqual([
    "| edge | 60.0 | calls | bare | 50.0 | 1.20 | ≥ 0.7 |",
    "| edge | 60.0 | calls | bare | 50.0 | 0.60 | ≥ 0.7: missed |",
  ]);
  expect([inTurn, inPairs].map(meetsGoal)).toEqual([true, false]);
});

test("figureTable() shows no ratio to a peer of 0", () => {
  expect(rows([{ what: "idle", unit: "ms", samples: [3], peer: { what: "nothing", samples: [0] } }])).toEqual(["| idle | 3.00 | ms | nothing | 0.00 |  |  |"]);
});

function rows(measurements: readonly Measurement[]): readonly string[] {
  const machine = { cpu: "CPU", cores: 2, memoryGiB: 1, bun: "1", loadBefore: [0] };
  const result: FigureResult = { name: "figure", doc: "Of a test", seconds: 1, measurements };
  return figureTable({ machine, results: [result] })
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .slice(2);
}
