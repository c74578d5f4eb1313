/** A gateway above its capacity: who is refused, how, and who is not. */
import { expect, test } from "bun:test";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { RiderService } from "@ridegrid/contracts";
import { RetryInfoSchema } from "@ridegrid/contracts/gen/google/rpc/error_details_pb";
import { reasonOf } from "@ridegrid/rpc";
import { createManualClock, createTestContext } from "@ridegrid/testing";
import { createDevelopmentIssuer } from "./app.ts";
import { connectTransport, coordinatorWith, grpcTransport, nyc, ride, startGateway, withBearer } from "./gateway.fixture.ts";

const trip = { pickup: nyc, dropoff: nyc, seats: 1 };
const quoteMethod = "rider.v1.RiderService/QuoteFare";

test("a gateway above its rate refuses riders at once with a delay, on every protocol, and lets operators and positions in", async () => {
  const clock = createManualClock(1_800_000_000_000);
  const issuer = await createDevelopmentIssuer({ clock });
  await using gateway = await startGateway(
    { coordinator: coordinatorWith([ride()]) },
    { context: createTestContext({ clock }), identity: issuer, requestsPerSecond: 50 },
  );
  const rider = (index: number) => issuer.issue({ role: "rider", subject: `r-${index}` });
  const statuses = await Promise.all(Array.from({ length: 40 }, async (_, index) => (await gateway.post(quoteMethod, trip, await rider(index))).status));
  expect([statuses.filter((status) => status === 200).length, statuses.filter((status) => status === 503).length]).toEqual([10, 30]);

  for (const transport of [connectTransport(gateway), createGrpcWebTransport({ baseUrl: gateway.url }), grpcTransport(gateway)]) {
    const error = await createClient(RiderService, transport)
      .quoteFare(trip, withBearer(await rider(99)))
      .catch((reason: unknown) => reason);
    if (!(error instanceof ConnectError)) throw new Error("the call was accepted");
    expect([error.code, reasonOf(error)]).toEqual([Code.Unavailable, "OVERLOADED"]);
    expect(Number(error.findDetails(RetryInfoSchema)[0]?.retryDelay?.seconds)).toBeGreaterThanOrEqual(1);
  }

  const operator = await issuer.issue({ role: "operator", subject: "o-1" });
  expect((await gateway.post("ops.v1.OpsService/ListRegions", {}, operator)).status).toBe(200);
  expect((await gateway.post("driver.v1.DriverService/ReportPositions", {}, await rider(1))).status).toBe(403);
  clock.advance(1_000);
  expect((await gateway.post(quoteMethod, trip, await rider(1))).status).toBe(200);
});
