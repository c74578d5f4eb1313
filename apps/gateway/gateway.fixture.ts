/**
 * A gateway on free ports for tests. Behind it stand small services that remember rides and positions in memory: they
 * are other apps' ports, spoken to over the real internal transport.
 */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl, Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { columnsIn, CoordinatorService, IngestService, MatchingService, StateService } from "@ridegrid/contracts";
import type { ForwardPositionsRequest, ForwardPositionsResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { RideSchema, RideStatus } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import { apiError, callerOf, createInMemoryTransport, createServiceDirectory, type ServiceDirectory } from "@ridegrid/rpc";
import { loadRegions, type Regions } from "@ridegrid/spatial";
import { createTestContext } from "@ridegrid/testing";
import regionsFile from "../../deploy/regions.json" with { type: "json" };
import { createDevelopmentIssuer, createGateway, type DevelopmentIssuer, type Gateway, type GatewayDeps } from "./app.ts";
import type { PublicRole } from "./identity.ts";

export const rideId = "0199c0de-0000-7000-8000-000000000001";
export const otherRideId = "0199c0de-0000-7000-8000-000000000002";
export const requestId = "0199c0de-0000-4000-8000-0000000000ff";
export const nyc = { latitude: 40.7549, longitude: -73.984 };
export const london = { latitude: 51.5074, longitude: -0.1278 };
export const pinSecret = "a test's secret";

export type Behind = {
  readonly coordinator?: Partial<ServiceImpl<typeof CoordinatorService>>;
  readonly state?: (region: string) => Partial<ServiceImpl<typeof StateService>>;
  readonly ingest?: (region: string) => Partial<ServiceImpl<typeof IngestService>>;
};

export type TestGateway = AsyncDisposable & {
  readonly gateway: Gateway;
  readonly issuer: DevelopmentIssuer;
  readonly url: string;
  token(role: PublicRole, subject: string, ttlSeconds?: number): Promise<string>;
  /** POSTs JSON to a method such as "rider.v1.RiderService/GetRide". */
  post(method: string, body: unknown, token?: string, headers?: Readonly<Record<string, string>>): Promise<Response>;
};

export async function startGateway(behind: Behind = {}, overrides: Partial<GatewayDeps> = {}): Promise<TestGateway> {
  const context = createTestContext();
  const issuer = await createDevelopmentIssuer({ clock: context.clock });
  const listen = { host: "127.0.0.1", port: 0, grpcPort: 0 };
  const gateway = createGateway({
    context,
    region: "ewr",
    regions: regions(),
    directory: directoryTo(behind),
    identity: issuer,
    pinSecret,
    listen,
    production: false,
    metricsText: context.metricsText,
    ...overrides,
  });
  await gateway.start();
  return {
    gateway,
    issuer,
    url: gateway.url,
    token: (role, subject, ttlSeconds) => issuer.issue({ role, subject, ...(ttlSeconds === undefined ? {} : { ttlSeconds }) }),
    post: (method, body, token, headers = {}) =>
      fetch(`${gateway.url}/ridegrid.${method}`, {
        method: "POST",
        body: typeof body === "string" ? body : JSON.stringify(body),
        headers: { "content-type": "application/json", ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers },
      }),
    [Symbol.asyncDispose]: () => gateway.stop(),
  };
}

function regions(): Regions {
  return loadRegions(regionsFile);
}

/** A ride of rider "r-1", searching. */
export function ride(fields: MessageInitShape<typeof RideSchema> = {}) {
  return create(RideSchema, { rideId, riderId: "r-1", status: RideStatus.REQUESTED, version: 1n, homeRegion: "ewr", marketId: "nyc", ...fields });
}

/** A coordinator that knows `rides` and says where they are. */
export function coordinatorWith(rides: readonly ReturnType<typeof ride>[]): Partial<ServiceImpl<typeof CoordinatorService>> {
  const find = (id: string) => {
    const found = rides.find((each) => each.rideId === id);
    if (found === undefined) throw apiError("RIDE_NOT_FOUND", `Ride "${id}" was not found`);
    return found;
  };
  return {
    now: () => ({}),
    getRide: (request) => ({ ride: find(request.rideId) }),
    locateRide: (request) => ({ homeRegion: find(request.rideId).homeRegion, marketId: find(request.rideId).marketId }),
    getDriver: ({ driverId }) => ({ driver: { driverId } }),
    quoteFare: ({ command }, context) => ({ quote: { quoteId: rideId, marketId: callerOf(context).principal, tripMeters: command?.seats ?? 0 } }),
    listRides: () => ({ page: { rides: [...rides] } }),
  };
}

/** The runs of a page of positions, as ingest reads them. */
export function runsIn(page: ForwardPositionsRequest) {
  const { sequences } = columnsIn(page);
  let row = 0;
  let at = 0;
  const nextId = (length = 0): string => page.ids.slice(at, (at += length));
  return page.runLengths.map((length, run) => {
    const [driverId, streamId] = [nextId(page.driverIdLengths[run]), nextId(page.streamIdLengths[run])];
    return { run, driverId, streamId, sequences: [...sequences.subarray(row, (row += length))] };
  });
}

/** The answer that makes a whole page durable. */
export function durable(page: ForwardPositionsRequest): MessageInitShape<typeof ForwardPositionsResponseSchema> {
  const runs = runsIn(page);
  return { pageId: page.pageId, runs: runs.map(({ run }) => run), durableSequences: runs.map(({ sequences }) => sequences.at(-1) ?? 0) };
}

/** A stream read message by message. */
export function iterate<T>(stream: AsyncIterable<T>): AsyncIterator<T> {
  return stream[Symbol.asyncIterator]();
}

export function withBearer(token: string): { readonly headers: { readonly authorization: string } } {
  return { headers: { authorization: `Bearer ${token}` } };
}

export function grpcTransport({ gateway }: TestGateway): Transport {
  return createGrpcTransport({ baseUrl: `http://${gateway.grpcAddress}` });
}

export function connectTransport({ url }: TestGateway): Transport {
  return createConnectTransport({ baseUrl: url, httpVersion: "2" });
}

function directoryTo({ coordinator = {}, state = () => ({}), ingest = () => ({}) }: Behind): ServiceDirectory {
  return createServiceDirectory((service, region) =>
    createInMemoryTransport((router) => {
      switch (service) {
        case "coordinator":
          return router.service(CoordinatorService, coordinator);
        case "state":
          return router.service(StateService, state(region ?? ""));
        case "ingest":
          return router.service(IngestService, ingest(region ?? ""));
        default:
          return router.service(MatchingService, {});
      }
    }),
  );
}
