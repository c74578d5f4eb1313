/**
 * Streams people can live on: for a minute every stream of riders and drivers is cut at random and goes on at either
 * region's gateway, while state-query and a gateway are killed under it: each version once, in order, nothing skipped.
 */
import { expect, test } from "bun:test";
import { createSeededRandom, eventually } from "@ridegrid/testing";
import { type Followed, followThroughCuts } from "./cut-stream.fixture.ts";
import { embeddedLogs, kafkaLogs, type LogKind } from "./event-logs.fixture.ts";
import { createMeshFolder, gatewayOf, type MeshFolder } from "./mesh.fixture.ts";
import { clientOf, driverAt, type Json, newYork, offerFor, requestRide, rideIn, tokenOf } from "./ride-by-hand.fixture.ts";

const uuid = (): string => crypto.randomUUID();
const seconds = 60;
const pairs = 4;
const versionOf = (message: Json): number => Number(String(message["cursor"]).split(".")[1]);

for (const kind of [embeddedLogs, kafkaLogs])
  test.skipIf(kind.missing !== null)(
    `streams cut at random for a minute, across restarts and gateways, show each version once, ${kind.name}${kind.missing === null ? "" : ` (${kind.missing})`}`,
    () => streamsAreWhole(kind),
    300_000,
  );

async function streamsAreWhole(kind: LogKind): Promise<void> {
  const logs = await kind.start();
  const folder = await createMeshFolder({ environment: logs.environment });
  try {
    await folder.dev("--no-city", "--processes");
    const seed = Number(process.env["TEST_SEED"] ?? 8);
    const random = createSeededRandom(seed);
    const untilMs = performance.now() + seconds * 1_000;
    const people = createPeople(folder, random, untilMs);
    const restarts = restartAll(folder, ["state-query.ewr", "gateway.ewr", "state-query.ewr"], untilMs);
    const followed = await people.run();
    const rides = followed.filter(({ kind }) => kind === "ride");
    const counts = {
      rides: rides.length,
      completed: people.completed(),
      updates: sum(followed, ({ stream }) => stream.updates.length),
      cuts: sum(followed, ({ stream }) => stream.cuts),
      breaks: sum(followed, ({ stream }) => stream.breaks),
      resets: sum(followed, ({ stream }) => stream.updates.filter((update) => update["reset"] === true).length),
      restarted: await restarts,
    };
    console.log(`streams cut, ${kind.name}, seed ${seed}:`, JSON.stringify(counts));
    for (const { stream, ended } of followed) {
      expect(stream.wrong).toEqual([]);
      // A driver's snapshot is several messages with one version; what follows it is one each.
      const versions = stream.updates.filter((update) => String(update["cursor"]).split(".").length === 2).map(versionOf);
      const first = versions[0] ?? 0;
      expect(versions).toEqual(Array.from({ length: versions.length }, (_, index) => first + index));
      if (ended) expect(versions.at(-1)).toBe(ended);
    }
    expect(counts.resets).toBe(0);
    expect(counts.restarted).toBe(3);
    expect(counts.completed).toBeGreaterThanOrEqual(pairs);
    expect(counts.cuts).toBeGreaterThan(50);
  } finally {
    await folder.reap();
    await logs.stop();
  }
}

/** `ended` is the ride's last version, when it has ended. */
type Watched = { readonly kind: "ride" | "driver"; readonly stream: Followed; readonly ended?: number };

/** Riders and drivers who ride one after the other; their commands go by London's gateway, which stays. */
function createPeople(folder: MeshFolder, random: ReturnType<typeof createSeededRandom>, untilMs: number) {
  const gateways = [gatewayOf(folder, "ewr"), gatewayOf(folder, "lhr")];
  const steady = gatewayOf(folder, "lhr");
  const watching: Promise<Watched>[] = [];
  const seeded = () => createSeededRandom(Math.floor(random.next() * 1e9));
  let completed = 0;

  async function rideOnce(driver: Awaited<ReturnType<typeof driverAt>>, name: string): Promise<void> {
    const rider = await clientOf(steady, "rider", name);
    const { rideId } = await requestRide(rider, newYork);
    const isLast = (update: Json): boolean =>
      ["RIDE_STATUS_COMPLETED", "RIDE_STATUS_CANCELED"].includes(String((update["ride"] as Json | undefined)?.["status"]));
    const token = await tokenOf(steady, "rider", name);
    const stream = followThroughCuts(
      { method: "rider.v1.RiderService/WatchRide", request: { rideId }, token, gateways, random: seeded(), isLast },
      untilMs + 60_000,
    );
    await driver.call("AcceptOffer", { requestId: uuid(), offerId: await offerFor(driver.call, 60_000) });
    await driver.call("ArriveAtPickup", { requestId: uuid(), rideId, location: newYork });
    const { pin } = rideIn(await rider("GetRide", { rideId }));
    await driver.call("StartRide", { requestId: uuid(), rideId, pin });
    const { version } = rideIn(await driver.call("CompleteRide", { requestId: uuid(), rideId }));
    completed++;
    watching.push(stream.then((followed) => ({ kind: "ride", stream: followed, ended: Number(version) })));
  }

  /** One driver alone is free at a time, so that each ride gets the driver meant for it. */
  async function pair(index: number, turn: () => Promise<() => void>): Promise<void> {
    const name = `d-cut-${index}`;
    for (let round = 0; performance.now() < untilMs; round++) {
      const done = await turn();
      try {
        const driver = await driverAt(steady, name, newYork);
        if (round === 0) {
          const token = await tokenOf(steady, "driver", name);
          const stream = { method: "driver.v1.DriverService/WatchOffers", request: {}, token, gateways, random: seeded(), isLast: () => false };
          watching.push(followThroughCuts(stream, untilMs).then((followed) => ({ kind: "driver", stream: followed })));
        }
        await rideOnce(driver, `r-cut-${index}-${round}`);
        await driver.goHome();
      } finally {
        done();
      }
    }
  }

  return {
    completed: () => completed,
    async run(): Promise<readonly Watched[]> {
      const turn = createTurn();
      await Promise.all(Array.from({ length: pairs }, (_, index) => pair(index, turn)));
      return await Promise.all(watching);
    },
  };
}

function createTurn(): () => Promise<() => void> {
  let last: Promise<void> = Promise.resolve();
  return async () => {
    const before = last;
    const { promise, resolve } = Promise.withResolvers<void>();
    last = promise;
    await before;
    return resolve;
  };
}

/** Kills each in turn, spread over the run, and waits until the mesh has it again; answers how many came back. */
async function restartAll(folder: MeshFolder, names: readonly string[], untilMs: number): Promise<number> {
  const everyMs = (untilMs - performance.now()) / (names.length + 1);
  let restarted = 0;
  for (const name of names) {
    await Bun.sleep(everyMs);
    const pid = folder.file().pids[name] ?? 0;
    process.kill(pid, "SIGKILL");
    await eventually(() => (folder.file().pids[name] ?? pid) !== pid, { timeoutMs: 60_000, what: `${name} to be restarted` });
    restarted++;
  }
  return restarted;
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
