/** What a call between services must do, in memory and over a connection alike. Each transport's test calls this. */
import { describe, expect, test } from "bun:test";
import { Code, ConnectError, type ConnectRouter, createClient, type HandlerContext, type Transport } from "@connectrpc/connect";
import { CoordinatorService, IngestService, StateService } from "@ridegrid/contracts";
import { apiError, asService, callerOf, errorMetadata, type Fault, reasonOf, refusalError } from "./index.ts";

export type ServedTransport = { readonly transport: Transport; close(): Promise<void> };
export type ServeRoutes = (routes: (router: ConnectRouter) => void, onFault: (fault: Fault) => void) => Promise<ServedTransport>;

const rideId = "0199c0de-0000-7000-8000-000000000001";

export function transportConformance(name: string, serve: ServeRoutes): void {
  describe(name, () => {
    test("a call carries its caller, and the answer comes back", async () => {
      await using served = await using_(serve, (router) =>
        router.service(CoordinatorService, {
          getDriver: ({ driverId }, context) => ({ driver: { driverId, shiftId: callerOf(context).principal + "/" + callerOf(context).role } }),
        }),
      );
      const client = createClient(CoordinatorService, served.transport);
      const { driver } = await client.getDriver({ driverId: "d-1" }, asService("gateway.ewr ü"));
      expect(driver).toMatchObject({ driverId: "d-1", shiftId: "gateway.ewr ü/service" });
    });

    test("a refusal keeps its code, reason and metadata", async () => {
      await using served = await using_(serve, (router) =>
        router.service(CoordinatorService, {
          getRide: () => {
            throw refusalError({ kind: "refused", reason: "ride_state", message: "Cannot cancel: it is completed", status: "completed" });
          },
        }),
      );
      const error = await failure(createClient(CoordinatorService, served.transport).getRide({ rideId }, asService("t")));
      expect(error.code).toBe(Code.FailedPrecondition);
      expect(reasonOf(error)).toBe("RIDE_STATE");
      expect(errorMetadata(error)).toEqual({ status: "RIDE_STATUS_COMPLETED" });
      expect(error.rawMessage).toBe("Cannot cancel: it is completed");
    });

    test("a message that breaks its schema never reaches the handler", async () => {
      await using served = await using_(serve, (router) => router.service(CoordinatorService, { getRide: () => ({}) }));
      const client = createClient(CoordinatorService, served.transport);
      const error = await failure(client.getRide({ rideId: "no uuid" }, asService("t")));
      expect(reasonOf(error)).toBe("FIELD_INVALID");
      expect(errorMetadata(error)["field"]).toBe("ride_id");
      const nul = await failure(client.getDriver({ driverId: "d\0" }, asService("t")));
      expect(errorMetadata(nul)["field"]).toBe("driver_id");
    });

    test("a fault is told to the log and not to the caller", async () => {
      const faults: Fault[] = [];
      await using served = await using_(
        serve,
        (router) =>
          router.service(CoordinatorService, {
            now: () => {
              throw new Error("the secret is 42");
            },
          }),
        (fault) => faults.push(fault),
      );
      const error = await failure(createClient(CoordinatorService, served.transport).now({}, asService("t")));
      expect(reasonOf(error)).toBe("INTERNAL");
      expect(error.message).not.toContain("42");
      expect(faults.map((fault) => fault.method)).toEqual(["ridegrid.mesh.v1.CoordinatorService/Now"]);
    });

    test("a database that is away is DEPENDENCY_AWAY", async () => {
      await using served = await using_(serve, (router) =>
        router.service(CoordinatorService, {
          now: () => {
            throw new Error("query failed", { cause: Object.assign(new Error("write CONNECTION_CLOSED"), { code: "CONNECTION_CLOSED" }) });
          },
        }),
      );
      const error = await failure(createClient(CoordinatorService, served.transport).now({}, asService("t")));
      expect(error.code).toBe(Code.Unavailable);
      expect(reasonOf(error)).toBe("DEPENDENCY_AWAY");
    });

    test("a deadline ends a call whose handler hangs", async () => {
      await using served = await using_(serve, (router) => router.service(CoordinatorService, { now: () => new Promise(() => {}) }));
      const error = await failure(createClient(CoordinatorService, served.transport).now({}, asService("t", { timeoutMs: 60 })));
      expect(error.code).toBe(Code.DeadlineExceeded);
    });

    test("a caller that leaves, with a word of its own, is no fault", async () => {
      const asked = Promise.withResolvers<void>();
      const left = Promise.withResolvers<void>();
      const faults: Fault[] = [];
      const locateRide = (_: unknown, { signal }: HandlerContext) => {
        signal.addEventListener("abort", () => left.resolve());
        asked.resolve();
        return new Promise<never>(() => {});
      };
      await using served = await using_(
        serve,
        (router) => router.service(CoordinatorService, { locateRide }),
        (fault) => faults.push(fault),
      );
      const leaving = new AbortController();
      const call = failure(createClient(CoordinatorService, served.transport).locateRide({ rideId }, asService("t", { signal: leaving.signal })));
      await asked.promise;
      leaving.abort(new Error("its lease was lost"));
      expect((await call).code).toBe(Code.Canceled);
      await left.promise;
      // A call later, what the server makes of it is behind it.
      await failure(createClient(CoordinatorService, served.transport).now({}, asService("t")));
      expect(faults).toEqual([]);
    });

    test("a canceled stream aborts its handler", async () => {
      const aborted = Promise.withResolvers<void>();
      await using served = await using_(serve, (router) =>
        router.service(StateService, {
          async *watchRide(_, { signal }) {
            signal.addEventListener("abort", () => aborted.resolve());
            yield {};
            await aborted.promise;
          },
        }),
      );
      const canceled = new AbortController();
      const stream = createClient(StateService, served.transport).watchRide(
        { region: "ewr", command: { rideId } },
        asService("t", { signal: canceled.signal }),
      );
      const messages = stream[Symbol.asyncIterator]();
      expect((await messages.next()).done).toBe(false);
      canceled.abort();
      await expect(messages.next()).rejects.toThrow();
      await aborted.promise;
    });

    test("a bidirectional stream answers while it is asked", async () => {
      await using served = await using_(serve, (router) =>
        router.service(IngestService, {
          async *forwardPositions(requests) {
            for await (const { pageId } of requests) yield { pageId };
          },
        }),
      );
      const next = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
      async function* requests() {
        for (const [index, gate] of next.entries()) {
          await gate.promise;
          yield { pageId: BigInt(index) };
        }
      }
      next[0]?.resolve();
      const seen: bigint[] = [];
      for await (const { pageId } of createClient(IngestService, served.transport).forwardPositions(requests(), asService("t"))) {
        seen.push(pageId);
        next[seen.length]?.resolve();
      }
      expect(seen).toEqual([0n, 1n, 2n, 3n]);
    });

    test("an error in a stream carries its reason", async () => {
      await using served = await using_(serve, (router) =>
        router.service(StateService, {
          // oxlint-disable-next-line require-yield
          async *watchRide() {
            throw apiError("RIDE_NOT_FOUND", "The ride was not found");
          },
        }),
      );
      const stream = createClient(StateService, served.transport).watchRide({ region: "ewr", command: { rideId } }, asService("t"));
      const error = await failure(Array.fromAsync(stream));
      expect(reasonOf(error)).toBe("RIDE_NOT_FOUND");
    });
  });
}

async function using_(
  serve: ServeRoutes,
  routes: (router: ConnectRouter) => void,
  onFault: (fault: Fault) => void = () => {},
): Promise<ServedTransport & AsyncDisposable> {
  const served = await serve(routes, onFault);
  return { ...served, [Symbol.asyncDispose]: () => served.close() };
}

async function failure(promise: Promise<unknown>): Promise<ConnectError> {
  const error: unknown = await promise.then(
    () => new Error("the call succeeded"),
    (reason: unknown) => reason,
  );
  if (error instanceof ConnectError) return error;
  throw error;
}
