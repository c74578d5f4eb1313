/**
 * A platform in memory for the simulator's own tests: rides, offers and streams just as the contract says, without
 * rules about money, distance or time. It can misbehave on purpose, to see whether the simulator notices.
 */
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter, createConnectRouter, type HandlerContext } from "@connectrpc/connect";
import { createFetchHandler } from "@connectrpc/connect/protocol";
import { DriverService, type WatchOffersResponse, WatchOffersResponseSchema } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { OpsService } from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import { RiderService } from "@ridegrid/contracts/gen/rider/v1/rider_service_pb";
import { DriverStatus } from "@ridegrid/contracts/gen/type/v1/driver_pb";
import { type CancelReason, OfferSchema, OfferStatus, Party, RideSchema, RideStatus, type Ride } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import { latLngToCell } from "h3-js";

export type Misbehavior = {
  /** Every third command takes effect and answers `unavailable`. */
  readonly losesAnswers?: boolean;
  /** A rider's stream leaves a version out. */
  readonly skipsVersion?: boolean;
  /** Operators are shown that a completed ride was canceled. */
  readonly forgetsCompletion?: boolean;
  /** The rider's reads come without a PIN. */
  readonly hidesPin?: boolean;
};

export interface FixturePlatform {
  readonly url: string;
  readonly rides: ReadonlyMap<string, Ride>;
  readonly commands: number;
  readonly positions: number;
  /** Ends every connection: clients must come back by themselves. */
  cutConnections(): Promise<void>;
  close(): Promise<void>;
}

type DriverState = { readonly id: string; status: DriverStatus; version: bigint; rideId: string; readonly log: WatchOffersResponse[] };
type State = {
  readonly rides: Map<string, Ride>;
  readonly rideLog: Map<string, Ride[]>;
  readonly drivers: Map<string, DriverState>;
  readonly quotes: Map<string, Ride>;
  readonly answers: Map<string, Ride>;
  readonly blocked: Set<string>;
  readonly listeners: Set<() => void>;
  commands: number;
  positions: number;
};

export function startFixturePlatform(misbehavior: Misbehavior = {}): FixturePlatform {
  const state: State = {
    rides: new Map(),
    rideLog: new Map(),
    drivers: new Map(),
    quotes: new Map(),
    answers: new Map(),
    blocked: new Set(),
    listeners: new Set(),
    commands: 0,
    positions: 0,
  };
  const router = createConnectRouter({ grpc: false });
  registerRider(router, state, misbehavior);
  registerDriver(router, state, misbehavior);
  registerOps(router, state, misbehavior);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, createFetchHandler(handler)]));
  const serve = (port: number): Bun.Server<undefined> =>
    Bun.serve({
      port,
      hostname: "127.0.0.1",
      http2: true,
      idleTimeout: 0,
      fetch: async (request) => {
        const { pathname } = new URL(request.url);
        if (pathname === "/dev/token") return Response.json({ token: fakeToken(await request.json()) });
        return handlers.get(pathname)?.(request) ?? new Response(null, { status: 404 });
      },
    });
  let server = serve(0);
  const port = server.port ?? 0;
  const matching = setInterval(() => match(state), 20);
  return {
    url: `http://127.0.0.1:${port}`,
    rides: state.rides,
    get commands() {
      return state.commands;
    },
    get positions() {
      return state.positions;
    },
    async cutConnections() {
      await server.stop(true);
      server = serve(port);
    },
    async close() {
      clearInterval(matching);
      await server.stop(true);
    },
  };
}

function fakeToken(claims: unknown): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const { role, subject } = claimsOf(claims);
  return `${part({ alg: "none" })}.${part({ sub: subject, role, exp: Math.floor(Date.now() / 1_000) + 600 })}.x`;
}

function claimsOf(claims: unknown): { readonly role: string; readonly subject: string } {
  if (typeof claims !== "object" || claims === null || !("role" in claims) || !("subject" in claims)) throw new Error("no claims");
  return { role: String(claims.role), subject: String(claims.subject) };
}

function subjectOf(context: HandlerContext): string {
  const [, payload] = (context.requestHeader.get("authorization") ?? "").replace("Bearer ", "").split(".");
  if (payload === undefined) throw new ConnectError("no token", Code.Unauthenticated);
  return String(JSON.parse(Buffer.from(payload, "base64url").toString()).sub);
}

/** What commands answer that have nothing to say. */
const noRide = create(RideSchema);

/** Applies a command once per request id, as the platform promises. */
function once(state: State, { losesAnswers }: Misbehavior, requestId: string, effect: () => Ride): Ride {
  state.commands++;
  const known = state.answers.get(requestId);
  const answer = known ?? effect();
  state.answers.set(requestId, answer);
  if (losesAnswers === true && known === undefined && state.commands % 3 === 0) throw new ConnectError("the answer got lost", Code.Unavailable);
  return answer;
}

function change(state: State, rideId: string, changes: Partial<Ride>): Ride {
  const before = state.rides.get(rideId);
  if (before === undefined) throw new ConnectError("no such ride", Code.NotFound);
  const ride = create(RideSchema, { ...before, ...changes, version: before.version + 1n });
  state.rides.set(rideId, ride);
  state.rideLog.get(rideId)?.push(ride);
  wake(state);
  return ride;
}

function changeDriver(
  state: State,
  driverId: string,
  changes: Partial<Pick<DriverState, "status" | "rideId">>,
  extra: WatchOffersResponse["update"] = { case: undefined },
): void {
  const driver = state.drivers.get(driverId) ?? { id: driverId, status: DriverStatus.OFFLINE, version: 0n, rideId: "", log: [] };
  state.drivers.set(driverId, Object.assign(driver, changes, { version: driver.version + 1n }));
  const cursor = `d.${driver.version}`;
  const ride = state.rides.get(driver.rideId);
  const value = {
    $typeName: "ridegrid.type.v1.Driver" as const,
    driverId,
    status: driver.status,
    version: driver.version,
    marketId: "nyc",
    homeRegion: "ewr",
    shiftId: "",
    acceptReassignment: true,
    offerId: "",
    ...(ride === undefined || driver.status < DriverStatus.EN_ROUTE ? {} : { ride }),
  };
  driver.log.push(create(WatchOffersResponseSchema, { cursor, update: { case: "driver", value } }));
  if (extra.case !== undefined) driver.log.push(create(WatchOffersResponseSchema, { cursor, update: extra }));
  wake(state);
}

function wake(state: State): void {
  for (const listener of [...state.listeners]) listener();
}

async function* follow<T>(state: State, log: readonly T[], from: number, signal: AbortSignal): AsyncGenerator<T> {
  for (let at = from; !signal.aborted;) {
    const entry = log[at];
    if (entry !== undefined) {
      at++;
      yield entry;
      continue;
    }
    await new Promise<void>((resolve) => {
      const done = (): void => {
        state.listeners.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      state.listeners.add(done);
      signal.addEventListener("abort", done);
    });
  }
}

function match(state: State): void {
  for (const ride of [...state.rides.values()]) {
    if (ride.status !== RideStatus.REQUESTED) continue;
    const driver = [...state.drivers.values()].find(({ id, status }) => status === DriverStatus.AVAILABLE && !state.blocked.has(`${ride.rideId} ${id}`));
    if (driver === undefined) continue;
    const offerId = crypto.randomUUID();
    const { rideId, pickup, dropoff } = ride;
    if (pickup === undefined || dropoff === undefined) continue;
    change(state, rideId, { status: RideStatus.OFFERED, driverId: driver.id, offerId });
    changeDriver(
      state,
      driver.id,
      { status: DriverStatus.OFFERED, rideId },
      { case: "offer", value: create(OfferSchema, { offerId, rideId, pickup, dropoff, expiresInMs: 400 }) },
    );
    setTimeout(() => endOffer(state, rideId, offerId, OfferStatus.EXPIRED), 400);
  }
}

function endOffer(state: State, rideId: string, offerId: string, status: OfferStatus): void {
  const ride = state.rides.get(rideId);
  if (ride?.status !== RideStatus.OFFERED || ride.offerId !== offerId) return;
  state.blocked.add(`${rideId} ${ride.driverId}`);
  change(state, rideId, { status: RideStatus.REQUESTED, driverId: "", offerId: "", attempt: ride.attempt + 1 });
  changeDriver(
    state,
    ride.driverId,
    { status: DriverStatus.AVAILABLE, rideId: "" },
    { case: "offerWithdrawn", value: { $typeName: "ridegrid.driver.v1.OfferWithdrawn", offerId, rideId, status } },
  );
}

function registerRider(router: ConnectRouter, state: State, misbehavior: Misbehavior): void {
  const own = (ride: Ride): Ride => create(RideSchema, { ...ride, pin: misbehavior.hidesPin === true ? "" : "1234" });
  router.service(RiderService, {
    quoteFare({ pickup, dropoff, seats }, context) {
      const quoteId = crypto.randomUUID();
      const ride = create(RideSchema, {
        rideId: crypto.randomUUID(),
        riderId: subjectOf(context),
        status: RideStatus.REQUESTED,
        version: 1n,
        attempt: 1,
        marketId: "nyc",
        homeRegion: "ewr",
        seats,
      });
      state.quotes.set(quoteId, Object.assign(ride, { pickup, dropoff }));
      return { quote: { quoteId } };
    },
    requestRide: ({ requestId, quoteId }) => ({ ride: once(state, misbehavior, requestId, () => openRide(state, quoteId)) }),
    getRide({ rideId }) {
      const ride = state.rides.get(rideId);
      return ride === undefined ? {} : { ride: own(ride) };
    },
    cancelRide: ({ requestId, rideId, reason }) => ({ ride: once(state, misbehavior, requestId, () => cancelRide(state, rideId, reason)) }),
    async *watchRide({ rideId, cursor }, { signal }) {
      for await (const ride of follow(state, state.rideLog.get(rideId) ?? [], Number(cursor || "0"), signal)) {
        if (misbehavior.skipsVersion === true && ride.status === RideStatus.ARRIVED) continue;
        yield { cursor: String(ride.version), update: { case: "ride", value: own(ride) } };
      }
    },
  });
}

function openRide(state: State, quoteId: string): Ride {
  const ride = state.quotes.get(quoteId);
  if (ride === undefined) throw new ConnectError("no such quote", Code.NotFound);
  state.rides.set(ride.rideId, ride);
  state.rideLog.set(ride.rideId, [ride]);
  return ride;
}

function cancelRide(state: State, rideId: string, cancelReason: CancelReason): Ride {
  const before = state.rides.get(rideId);
  if (before === undefined || before.status >= RideStatus.IN_PROGRESS) throw new ConnectError("the ride is under way", Code.FailedPrecondition);
  const ride = change(state, rideId, { status: RideStatus.CANCELED, canceledBy: Party.RIDER, cancelReason });
  if (before.driverId !== "") changeDriver(state, before.driverId, { status: DriverStatus.AVAILABLE, rideId: "" });
  return ride;
}

function registerDriver(router: ConnectRouter, state: State, misbehavior: Misbehavior): void {
  const step = (rideId: string, driverId: string, from: RideStatus, to: RideStatus, status: DriverStatus): Ride => {
    const before = state.rides.get(rideId);
    if (before?.status !== from || before.driverId !== driverId) throw new ConnectError("not now", Code.FailedPrecondition);
    const ride = change(state, rideId, { status: to });
    changeDriver(state, driverId, { status, rideId: status === DriverStatus.AVAILABLE ? "" : rideId });
    return ride;
  };
  router.service(DriverService, {
    goOnline({ requestId }, context) {
      once(state, misbehavior, requestId, () => (changeDriver(state, subjectOf(context), { status: DriverStatus.AVAILABLE }), noRide));
      return {};
    },
    goOffline({ requestId }, context) {
      once(state, misbehavior, requestId, () => (changeDriver(state, subjectOf(context), { status: DriverStatus.OFFLINE }), noRide));
      return {};
    },
    reportPositions({ positions }) {
      state.positions += positions.length;
      return { ackedSequence: positions.at(-1)?.sequence ?? 0n };
    },
    async *watchOffers({ cursor }, context) {
      const log = state.drivers.get(subjectOf(context))?.log ?? [];
      const from = cursor === "" ? 0 : log.findLastIndex((message) => message.cursor === cursor) + 1;
      yield* follow(state, log, from, context.signal);
    },
    acceptOffer({ requestId, offerId }, context) {
      return { ride: once(state, misbehavior, requestId, () => acceptOffer(state, subjectOf(context), offerId)) };
    },
    declineOffer({ requestId, offerId }) {
      once(state, misbehavior, requestId, () => {
        for (const ride of state.rides.values()) if (ride.offerId === offerId) endOffer(state, ride.rideId, offerId, OfferStatus.DECLINED);
        return noRide;
      });
      return {};
    },
    arriveAtPickup: ({ requestId, rideId }, context) => ({
      ride: once(state, misbehavior, requestId, () => step(rideId, subjectOf(context), RideStatus.ASSIGNED, RideStatus.ARRIVED, DriverStatus.EN_ROUTE)),
    }),
    startRide({ requestId, rideId, pin }, context) {
      if (pin !== "1234") throw new ConnectError("wrong PIN", Code.InvalidArgument);
      return {
        ride: once(state, misbehavior, requestId, () => step(rideId, subjectOf(context), RideStatus.ARRIVED, RideStatus.IN_PROGRESS, DriverStatus.ON_TRIP)),
      };
    },
    completeRide: ({ requestId, rideId }, context) => ({
      ride: once(state, misbehavior, requestId, () => step(rideId, subjectOf(context), RideStatus.IN_PROGRESS, RideStatus.COMPLETED, DriverStatus.AVAILABLE)),
    }),
  });
}

function acceptOffer(state: State, driverId: string, offerId: string): Ride {
  const offered = [...state.rides.values()].find((ride) => ride.offerId === offerId && ride.driverId === driverId && ride.status === RideStatus.OFFERED);
  if (offered === undefined) throw new ConnectError("the offer is over", Code.FailedPrecondition);
  const ride = change(state, offered.rideId, { status: RideStatus.ASSIGNED });
  changeDriver(state, driverId, { status: DriverStatus.EN_ROUTE, rideId: ride.rideId });
  return ride;
}

function registerOps(router: ConnectRouter, state: State, { forgetsCompletion }: Misbehavior): void {
  const shown = (ride: Ride): Ride =>
    forgetsCompletion === true && ride.status === RideStatus.COMPLETED
      ? create(RideSchema, { ...ride, status: RideStatus.CANCELED, canceledBy: Party.SYSTEM })
      : ride;
  router.service(OpsService, {
    listRegions: () => ({ regions: [{ region: "ewr", markets: [{ marketId: "nyc", cells: [latLngToCell(40.75, -73.98, 5)] }] }] }),
    searchRides: () => ({ rides: [...state.rides.values()].map(shown) }),
    getRide({ rideId }) {
      const ride = state.rides.get(rideId);
      return ride === undefined ? {} : { ride: shown(ride) };
    },
    listInvariantViolations: () => ({}),
    getPipelineHealth: () => ({
      topics: [{ region: "ewr", topic: "ride-events.v1", endOffset: BigInt([...state.rideLog.values()].reduce((sum, log) => sum + log.length, 0)) }],
    }),
  });
}
