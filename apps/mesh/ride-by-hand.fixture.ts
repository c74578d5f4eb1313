/** A rider and a driver who speak Connect JSON with `fetch`, as the README's curl does. */
import { randomUUID } from "node:crypto";
import { eventually } from "@ridegrid/testing";

export type Json = Readonly<Record<string, unknown>>;
export type Point = { readonly latitude: number; readonly longitude: number };
export type Call = (method: string, body: Json) => Promise<Json>;

export const newYork: Point = { latitude: 40.7549, longitude: -73.984 };
export const london: Point = { latitude: 51.5074, longitude: -0.1278 };

/** Throws the error's JSON; answers the response's. */
export async function clientOf(url: string, role: "rider" | "driver" | "operator", subject: string): Promise<Call> {
  const token = await tokenOf(url, role, subject);
  const service = { rider: "rider.v1.RiderService", driver: "driver.v1.DriverService", operator: "ops.v1.OpsService" }[role];
  return (method, body) => post(`${url}/ridegrid.${service}/${method}`, body, { authorization: `Bearer ${token}` });
}

export async function tokenOf(url: string, role: "rider" | "driver" | "operator", subject: string): Promise<string> {
  return ((await post(`${url}/dev/token`, { role, subject }, {})) as { readonly token: string }).token;
}

async function post(url: string, body: Json, headers: Readonly<Record<string, string>>): Promise<Json> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${text}`);
  return JSON.parse(text) as Json;
}

/** A driver on shift who reports a position every second, and goes home at the end. */
export async function driverAt(url: string, subject: string, point: Point): Promise<{ readonly call: Call; goHome(): Promise<void> }> {
  const call = await clientOf(url, "driver", subject);
  await call("GoOnline", { requestId: randomUUID(), location: point, vehicle: { seats: 4, plate: "RG 1", model: "Sedan" } });
  let sequence = 0;
  const report = (): void => {
    sequence += 1;
    const position = { sequence: String(sequence), location: point, accuracyM: 5, observeTime: new Date().toISOString() };
    // One that is refused or lost is followed by the next.
    void call("ReportPositions", { positions: [position] }).catch(() => {});
  };
  report();
  const timer = setInterval(report, 1_000);
  return {
    call,
    async goHome() {
      clearInterval(timer);
      // Whoever stays on shift is offered the next test's ride.
      await call("GoOffline", { requestId: randomUUID() });
    },
  };
}

export async function requestRide(rider: Call, pickup: Point): Promise<Json> {
  const dropoff = { latitude: pickup.latitude + 0.02, longitude: pickup.longitude + 0.01 };
  const { quote } = (await rider("QuoteFare", { pickup, dropoff, seats: 1 })) as { readonly quote: Json };
  return rideIn(await rider("RequestRide", { requestId: randomUUID(), quoteId: quote["quoteId"] }));
}

export function rideIn(answer: Json): Json {
  return answer["ride"] as Json;
}

export async function statusOf(rider: Call, rideId: unknown): Promise<unknown> {
  return rideIn(await rider("GetRide", { rideId }))["status"];
}

/** The offer that the driver holds, once there is one. */
export async function offerFor(driver: Call, timeoutMs: number): Promise<string> {
  let offerId = "";
  await eventually(
    async () => {
      const { driver: state } = (await driver("GetDriver", {})) as { readonly driver: Json };
      offerId = String(state["offerId"] ?? "");
      return offerId !== "";
    },
    { timeoutMs, pollMs: 200, what: "an offer for the driver" },
  );
  return offerId;
}

/** From request to the receipt, the driver at a gateway of his own where one is named; answers the completed ride. */
export async function rideByHand(
  url: string,
  point: Point,
  names: { readonly rider: string; readonly driver: string; readonly driverUrl?: string },
): Promise<Json> {
  const rider = await clientOf(url, "rider", names.rider);
  const driver = await driverAt(names.driverUrl ?? url, names.driver, point);
  const { rideId } = await requestRide(rider, point);
  await driver.call("AcceptOffer", { requestId: randomUUID(), offerId: await offerFor(driver.call, 15_000) });
  await driver.call("ArriveAtPickup", { requestId: randomUUID(), rideId, location: point });
  const { pin } = rideIn(await rider("GetRide", { rideId }));
  await driver.call("StartRide", { requestId: randomUUID(), rideId, pin });
  const completed = rideIn(await driver.call("CompleteRide", { requestId: randomUUID(), rideId }));
  await driver.goHome();
  return rideIn(await rider("GetRide", { rideId, minVersion: completed["version"] }));
}
