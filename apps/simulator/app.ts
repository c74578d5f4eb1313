/**
 * A city on one seed, against a running platform: it opens shifts, sends riders, waits for every ride to end, compares
 * its own account with the platform's and goes home. It knows the public contract and nothing else of the platform.
 */
import type { City } from "./city.ts";
import { createCalls } from "./calls.ts";
import type { Clock } from "./clock.ts";
import { Complaint } from "./complaint.ts";
import { createDemand, type Demand, fileRate, fleetRate } from "./demand.ts";
import { createFleet, type Fleet } from "./fleet.ts";
import { createGatewayClient, type GatewayClient } from "./gateway-client.ts";
import { createIdentity, type Identity } from "./identity.ts";
import {
  compareTimeoutMs,
  endlessRidesRemembered,
  endlessShiftsInFlightMax,
  endlessStartPatienceMs,
  farewellMs,
  invariantPollMs,
  progressIntervalMs,
  ridersAtOnceMax,
  ridesMax,
  settleBaseMs,
  shiftsInFlightMax,
  startPatienceMs,
} from "./limits.ts";
import { findMarket } from "./market-lookup.ts";
import { travelSeconds } from "./movement.ts";
import { childController, pause } from "./pause.ts";
import { createPositionReports, type PositionReports } from "./position-reports.ts";
import type { Phase, Progress } from "./progress.ts";
import { createRandom, type Random } from "./random.ts";
import { buildReport, type SimulationReport } from "./report.ts";
import { createRideLedger } from "./ride-ledger.ts";
import { takeRide } from "./rider-agent.ts";
import { checkInvariants, settle } from "./settlement.ts";
import { createStreams } from "./streams.ts";
import { count, createTally } from "./tally.ts";
import { recordsBetween, topicEnds } from "./topic-records.ts";
import { createFileTrips } from "./trip-source.file.ts";
import { createGeneratedTrips } from "./trip-source.generated.ts";
import type { TripSource } from "./trip-source.ts";
import type { TripsFile } from "./trips-file.ts";
import { createWitness } from "./witness.ts";
import { wallMs, type World } from "./world.ts";

export type SimulationOptions = {
  /** Addresses by region; the market's own region is preferred. At least one. */
  readonly gateways: Readonly<Record<string, string>>;
  readonly market: string;
  readonly seed: number;
  readonly drivers: number;
  /** Null: riders come until the signal aborts. */
  readonly rides: number | null;
  readonly speedup: number;
  readonly trips?: TripsFile;
  /** Multiplies the rate at which riders come; 1 unless said otherwise. */
  readonly paceFactor?: number;
  readonly clock: Clock;
  readonly newRequestId: () => string;
  /** How long a difference to the platform may last before it counts; its limit unless said otherwise. */
  readonly compareTimeoutMs?: number;
  readonly onProgress: (progress: Progress) => void;
  readonly onNotice: (line: string) => void;
  /** Stops the city early; it says goodbye within a few seconds. */
  readonly signal: AbortSignal;
};

export interface Simulation {
  /** @throws a `Complaint` when the city cannot open. */
  run(): Promise<SimulationReport>;
}

export function createSimulation(options: SimulationOptions): Simulation {
  return { run: () => runSimulation(options) };
}

async function runSimulation(options: SimulationOptions): Promise<SimulationReport> {
  const { clock, signal } = options;
  const end = new AbortController();
  const scene = await openScene(options, end.signal);
  const { world, operator, view } = scene;
  const upkeep = [setInterval(view.show, progressIntervalMs), setInterval(() => void scene.checkInvariants(), invariantPollMs)];
  // A stop from outside leaves a little time for goodbyes.
  signal.addEventListener("abort", () => void setTimeout(() => end.abort(), farewellMs), { once: true });
  try {
    // An endless city is stopped, never measured.
    const before = options.rides === null ? null : await topicEnds(world, operator);
    const first = Promise.withResolvers<void>();
    const shifts = openShifts(options, scene, first.resolve);
    const demand = openDemand(options, scene);
    // A run that is compared with others begins with its whole fleet; scenery begins as soon as somebody can drive.
    await (options.rides === null ? Promise.race([shifts, first.promise]) : shifts);
    view.enter("running");
    const openedAtMs = clock.nowMs();
    await sendRiders(options, scene, demand, openedAtMs);
    await shifts;
    const wallSeconds = (clock.nowMs() - openedAtMs) / 1_000;
    view.enter("comparing");
    const platform = signal.aborted
      ? null
      : await settle(world, operator, { marketId: options.market, riderPrefix: scene.riderPrefix, timeoutMs: options.compareTimeoutMs ?? compareTimeoutMs });
    await scene.checkInvariants();
    view.enter("closing");
    await scene.fleet.goOffline();
    const records = recordsBetween(before, signal.aborted ? null : await topicEnds(world, operator));
    const { seed, drivers, speedup, market } = options;
    const { count: violations, violations: violationDetails } = world.witness;
    return buildReport({ seed, drivers, speedup, market, tally: world.tally, violations, violationDetails, wallSeconds, platform, records });
  } finally {
    for (const timer of upkeep) clearInterval(timer);
    end.abort();
    scene.close();
  }
}

type Scene = {
  readonly world: World;
  readonly operator: Identity;
  readonly city: City;
  readonly source: TripSource;
  readonly fleet: Fleet;
  readonly random: Random;
  readonly riderPrefix: string;
  readonly view: { readonly show: () => void; readonly enter: (phase: Phase) => void };
  readonly checkInvariants: () => Promise<void>;
  readonly close: () => void;
};

async function openScene(options: SimulationOptions, signal: AbortSignal): Promise<Scene> {
  const { clock, seed, speedup, newRequestId } = options;
  const random = createRandom(seed);
  const run = clock.nowMs().toString(36);
  const { gateway, city, operator } = await openGateway(options, `sim-${run}-operator`, signal);
  const tally = createTally();
  const witness = createWitness(({ invariant, detail }) => options.onNotice(`violation of ${invariant}: ${detail}`));
  const ledger = createRideLedger(witness, { ridesMax: options.rides === null ? endlessRidesRemembered : 2 * ridesMax });
  const onFailure = (reason: string): void => count(tally.failures, reason);
  const calls = createCalls({ clock, random: random.fork("retries"), signal, onFailure });
  const streams = createStreams({ gateway, clock, random: random.fork("streams"), onFailure });
  const world: World = { gateway, calls, streams, clock, speedup, ledger, tally, witness, newRequestId, signal };
  const positions = createPositionReports(world);
  const source = tripSource(options, city, random.fork("trips"));
  if (source.outside > 0) options.onNotice(`${source.outside} trips lie outside market "${city.marketId}" and are left out`);
  // An endless city meets its own drivers again when it comes back, and with them rides that were left open.
  const subjectPrefix = options.rides === null ? `city-${city.marketId}-driver-` : `sim-${run}-driver-`;
  const shiftsInFlight = options.rides === null ? endlessShiftsInFlightMax : shiftsInFlightMax;
  const fleet = createFleet({ world, city, source, random: random.fork("drivers"), positions, drivers: options.drivers, subjectPrefix, shiftsInFlight });
  const view = createView(options, world);
  return {
    world,
    operator,
    city,
    source,
    fleet,
    random,
    riderPrefix: `sim-${run}-rider-`,
    view,
    checkInvariants: invariantCheck(world, operator),
    close: () => closeAll(streams, positions, gateway),
  };
}

async function openGateway(
  options: SimulationOptions,
  subject: string,
  signal: AbortSignal,
): Promise<{ readonly gateway: GatewayClient; readonly city: City; readonly operator: Identity }> {
  const { gateways, clock, market } = options;
  const [firstUrl] = Object.values(gateways);
  if (firstUrl === undefined) throw new Complaint("Cannot open the city: no gateway was given");
  const open = (url: string): { readonly gateway: GatewayClient; readonly operator: Identity } => {
    const gateway = createGatewayClient(url);
    return { gateway, operator: createIdentity({ gateway, clock, role: "operator", subject }) };
  };
  const first = open(firstUrl);
  // An endless city comes with its platform, which may be starting.
  const patienceMs = options.rides === null ? endlessStartPatienceMs : startPatienceMs;
  const city = await findMarket({ ...first, clock, signal: AbortSignal.any([signal, options.signal]), patienceMs }, market);
  const homeUrl = gateways[city.homeRegion] ?? firstUrl;
  return { city, ...(homeUrl === firstUrl ? first : open(homeUrl)) };
}

function tripSource({ trips }: SimulationOptions, city: City, random: Random): TripSource {
  return trips === undefined ? createGeneratedTrips({ city, random }) : createFileTrips({ file: trips, city, random });
}

function openDemand({ trips, drivers, speedup, paceFactor = 1 }: SimulationOptions, { source, random }: Scene): Demand {
  const rate = trips === undefined ? fleetRate({ source, drivers, speedup, random: random.fork("plan") }) : fileRate(trips);
  return createDemand({ source, ratePerSecond: rate * paceFactor, random: random.fork("demand") });
}

function createView(options: SimulationOptions, world: World): Scene["view"] {
  const { clock, rides, drivers, onProgress } = options;
  const startMs = clock.nowMs();
  let phase: Phase = "opening";
  const show = (): void => onProgress({ phase, rides, drivers, tally: world.tally, violations: world.witness.count, elapsedMs: clock.nowMs() - startMs });
  return {
    show,
    enter(next) {
      phase = next;
      show();
    },
  };
}

/** One check at a time: a slow platform must not be asked faster than it answers. */
function invariantCheck(world: World, operator: Identity): () => Promise<void> {
  const seen = new Set<string>();
  let running: Promise<void> | null = null;
  return () => (running ??= checkInvariants(world, operator, seen).finally(() => (running = null)));
}

/** @throws a `Complaint` when no driver could go online. */
async function openShifts({ drivers, signal, onNotice }: SimulationOptions, { fleet, world }: Scene, onFirst: () => void): Promise<void> {
  const online = await fleet.goOnline(onFirst);
  if (signal.aborted) return;
  if (online === 0) throw new Complaint(`Cannot open the city: none of ${drivers} drivers could go online at ${world.gateway.url}`);
  if (online < drivers) onNotice(`${drivers - online} of ${drivers} drivers could not go online`);
}

/** Sends riders as the demand says and waits for their rides to end; those that do not in time are violations. */
async function sendRiders(options: SimulationOptions, scene: Scene, demand: Demand, openedAtMs: number): Promise<void> {
  const { world, view } = scene;
  const onTheirWay = new Set<Promise<void>>();
  let longestSeconds = 0;
  for (let sent = 0; options.rides === null || sent < options.rides; sent++) {
    const request = demand.next();
    longestSeconds = Math.max(longestSeconds, travelSeconds(request.pickup, request.dropoff));
    while (onTheirWay.size >= ridersAtOnceMax && !options.signal.aborted) await Promise.race(onTheirWay);
    const dueMs = openedAtMs + wallMs(world, request.atSeconds);
    if (!(await pause(dueMs - options.clock.nowMs(), options.signal))) return;
    const subject = `${scene.riderPrefix}${String(request.index + 1).padStart(5, "0")}`;
    const identity = createIdentity({ gateway: world.gateway, clock: options.clock, role: "rider", subject });
    const trip = takeRide(world, { identity, random: scene.random.fork(`rider/${request.index}`), request });
    onTheirWay.add(trip);
    void trip.finally(() => onTheirWay.delete(trip));
  }
  view.enter("ending");
  const bound = childController(options.signal);
  const inTime = await Promise.race([
    Promise.all(onTheirWay).then(() => true),
    pause(settleBaseMs + wallMs(world, longestSeconds), bound.controller.signal).then(() => false),
  ]);
  bound.controller.abort();
  if (!inTime && !options.signal.aborted)
    world.witness.report({ invariant: "I10", detail: `${onTheirWay.size} rides did not end within the bounds of the platform's timers` });
}

function closeAll(streams: { close(): void }, positions: PositionReports, gateway: GatewayClient): void {
  streams.close();
  positions.close();
  gateway.close();
}
