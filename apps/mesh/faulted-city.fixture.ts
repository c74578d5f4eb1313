/**
 * A simulated city and riders beside it on a mesh whose event logs are on a real broker, for faults of that broker: what
 * was measured while the fault lasted, and whether all was well at the end.
 */
import { physicalTopic, partitionsPerTopic } from "@ridegrid/contracts";
import type { StoredRecord } from "@ridegrid/eventlog";
import { createKafkaEventLog } from "@ridegrid/eventlog/kafka";
import { createTestContext, eventually, startTestBroker, type TestBroker } from "@ridegrid/testing";
import { expect } from "bun:test";
import { type LondonGoesOn, londonGoesOn } from "./london-goes-on.fixture.ts";
import { measured } from "./mesh-metrics.fixture.ts";
import { createMeshFolder, gatewayOf, type MeshFolder } from "./mesh.fixture.ts";
import { type OutboxWatch, watchOutbox } from "./outbox-watch.fixture.ts";
import { type Call, clientOf } from "./ride-by-hand.fixture.ts";

export type FaultedCity = {
  readonly broker: TestBroker;
  readonly folder: MeshFolder;
  readonly operator: Call;
  /** Riders who only command: their calls need no event log. */
  readonly riders: LondonGoesOn;
  /** Runs the fault between the phases "before" and "after" of the riders. */
  during<T>(fault: () => Promise<T>): Promise<T>;
  failedAppends(): Promise<number>;
  /** What the fold dropped because it had it already. */
  dropped(): Promise<number>;
  readonly outbox: OutboxWatch;
  /** Waits for the city's end: 0 violations, and nobody who only commanded was failed. Answers what is told of it. */
  ends(): Promise<string>;
};

const simulation = ["--drivers", "40", "--rides", "40", "--speedup", "25", "--seed", "7", "--json"];
const callsBefore = 60;
const ridesBefore = 3;
/** Of a machine that others use, too. */
const underWayMs = 180_000;

export async function withFaultedCity(check: (city: FaultedCity) => Promise<void>): Promise<void> {
  const broker = await startTestBroker();
  const folder = await createMeshFolder({ environment: { KAFKA_BROKERS: broker.address, KAFKA_REPLICAS: "1" } });
  try {
    await folder.dev("--no-city");
    const city = await openCity(broker, folder);
    try {
      await check(city);
    } finally {
      await city.outbox.stop();
    }
  } finally {
    await folder.reap();
    await broker.stop();
  }
}

async function openCity(broker: TestBroker, folder: MeshFolder): Promise<FaultedCity> {
  const url = gatewayOf(folder, "ewr");
  const operator = await clientOf(url, "operator", "op-faults");
  const city = folder.run("sim", "--url", url, ...simulation);
  const riders = londonGoesOn(url, { readsBack: false, pauseMs: 100 });
  const hasRides = async (): Promise<boolean> => {
    const { rides = [] } = (await operator("SearchRides", { marketId: "nyc" })) as { readonly rides?: readonly unknown[] };
    return rides.length >= ridesBefore;
  };
  await eventually(hasRides, { timeoutMs: underWayMs, pollMs: 200, what: "rides in the city" });
  riders.enter("before");
  await eventually(() => riders.calls("before") >= callsBefore, { timeoutMs: underWayMs, pollMs: 200, what: "a city under way" });
  // From here on whoever is given the city stops it.
  const outbox = watchOutbox(folder);
  return {
    broker,
    folder,
    operator,
    riders,
    async during(fault) {
      riders.enter("during");
      const result = await fault();
      riders.enter("after");
      return result;
    },
    failedAppends: () => measured(folder, "messaging_client_operation_duration_seconds_count", { error_type: "" }),
    dropped: () => measured(folder, "read_model_events_total", { result: "duplicate" }),
    outbox,
    async ends() {
      const { code, stdout, stderr } = await city.ended;
      await riders.stop();
      expect({ code, told: code === 0 ? "" : `${stdout}${stderr}` }).toEqual({ code: 0, told: "" });
      const { violations, rides } = JSON.parse(stdout) as { readonly violations: number; readonly rides: Readonly<Record<string, number>> };
      expect(violations).toBe(0);
      expect(rides["completed"]).toBeGreaterThan(0);
      expect(riders.failures).toEqual([]);
      expect(await measured(folder, "read_model_gaps_total")).toBe(0);
      expect((await operator("ListInvariantViolations", {}))["violations"] ?? []).toEqual([]);
      return `${rides["completed"]} of ${rides["requested"]} rides completed, 0 violations, 0 gaps`;
    },
  };
}

/** Every record of a region's ride events, partition by partition. */
export async function recordsOnTopic(broker: TestBroker, region: string): Promise<ReadonlyMap<number, readonly StoredRecord[]>> {
  const log = createKafkaEventLog({ brokers: [broker.address], clientId: "reader", replicas: 1, compression: "none", clock: createTestContext().clock });
  const topic = physicalTopic(region, "ride-events.v1");
  const found = new Map<number, readonly StoredRecord[]>();
  for (let partition = 0; partition < partitionsPerTopic; partition++) {
    const { start, end } = await log.bounds(topic, partition);
    const records: StoredRecord[] = [];
    for (let offset = start; offset < end;) {
      const page = await log.read(topic, partition, offset, { maxRecords: 5_000, maxBytes: 4_000_000, maxWaitMs: 5_000 }, AbortSignal.timeout(30_000));
      records.push(...page);
      offset = (page.at(-1)?.offset ?? end) + 1;
    }
    found.set(partition, records);
  }
  await log.close();
  return found;
}

/** How many records say again what an earlier one said. */
export async function duplicatesOnTopic(broker: TestBroker): Promise<number> {
  let duplicates = 0;
  for (const region of ["ewr", "lhr"])
    for (const records of (await recordsOnTopic(broker, region)).values())
      duplicates += records.length - new Set(records.map(({ headers }) => headers["event-id"])).size;
  return duplicates;
}
