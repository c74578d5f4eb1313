/**
 * A `ProcessContext` for tests: real metrics, seeded dice, the machine's clock unless a manual one is given, and
 * silence unless `TEST_LOG` names a level.
 */
import { createLogger, createSystemClock, createSystemIds, createTelemetry, type ProcessContext } from "@ridegrid/runtime";
import { createSeededRandom } from "./seeded-random.ts";

export interface TestContext extends ProcessContext {
  /** What the code under test has measured, in Prometheus' text format. */
  metricsText(): Promise<string>;
}

export function createTestContext(overrides: Partial<ProcessContext> = {}): TestContext {
  const telemetry = createTelemetry({ serviceName: "test" });
  const ids = overrides.ids ?? createSystemIds();
  return {
    processId: `test-${ids.uuid()}`,
    clock: createSystemClock(),
    random: createSeededRandom(1),
    logger: createLogger({ format: "readable", level: testLogLevel() }),
    meter: telemetry.meter,
    tracer: telemetry.tracer,
    ...overrides,
    ids,
    metricsText: () => telemetry.prometheusText(),
  };
}

function testLogLevel(): "silent" | "debug" | "info" | "warn" {
  const asked = process.env["TEST_LOG"];
  return asked === "debug" || asked === "info" || asked === "warn" ? asked : "silent";
}
