/**
 * A ride's whole life with everything that can go wrong on the way: declined by one driver, given back by a second,
 * driven by a third; and another that its rider cancels. Told in JSON, so that any client can carry it. It runs on Node
 * too, so it knows nothing of Bun.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

type Json = Readonly<Record<string, unknown>>;
export type Role = "rider" | "driver";
/** `method` is such as "QuoteFare". Answers the response as JSON; rejects with an error whose message names the reason. */
export type CallAs = (role: Role, subject: string, method: string, body: Json) => Promise<Json>;

const home = { latitude: 51.5074, longitude: -0.1278 };
const away = { latitude: 51.5274, longitude: -0.1178 };
const offerTimeoutMs = 60_000;

/** What became of the rides, in words: equal for every client. */
export async function wholeLife(call: CallAs, name: string): Promise<readonly string[]> {
  const story: string[] = [];
  const rider = `r-${name}`;
  const rideId = await request(call, rider);
  const declining = await offered(call, `d1-${name}`);
  await call("driver", `d1-${name}`, "DeclineOffer", { requestId: randomUUID(), offerId: declining });
  await goHome(call, `d1-${name}`);
  // The read model follows: a decline answers no version, and made the third.
  story.push(await told(call, rider, rideId, "declined", "3"));

  const releasing = await offered(call, `d2-${name}`);
  await call("driver", `d2-${name}`, "AcceptOffer", { requestId: randomUUID(), offerId: releasing });
  const released = rideOf(await call("driver", `d2-${name}`, "CancelRide", { requestId: randomUUID(), rideId, reason: "CANCEL_REASON_VEHICLE_PROBLEM" }));
  await goHome(call, `d2-${name}`);
  story.push(await told(call, rider, rideId, "released", released["version"]));

  const driver = `d3-${name}`;
  const accepting = await offered(call, driver);
  await call("driver", driver, "AcceptOffer", { requestId: randomUUID(), offerId: accepting });
  await call("driver", driver, "ArriveAtPickup", { requestId: randomUUID(), rideId, location: home });
  const pin = rideOf(await call("rider", rider, "GetRide", { rideId }))["pin"];
  await call("driver", driver, "StartRide", { requestId: randomUUID(), rideId, pin });
  const completed = rideOf(await call("driver", driver, "CompleteRide", { requestId: randomUUID(), rideId }));
  await goHome(call, driver);
  story.push(await told(call, rider, rideId, "completed", completed["version"]));

  const second = await request(call, rider);
  const canceled = rideOf(await call("rider", rider, "CancelRide", { requestId: randomUUID(), rideId: second, reason: "CANCEL_REASON_RIDER_CHANGED_MIND" }));
  story.push(await told(call, rider, second, "canceled", canceled["version"]));
  return story;
}

async function request(call: CallAs, rider: string): Promise<unknown> {
  const { quote } = (await call("rider", rider, "QuoteFare", { pickup: home, dropoff: away, seats: 1 })) as { readonly quote: Json };
  return rideOf(await call("rider", rider, "RequestRide", { requestId: randomUUID(), quoteId: quote["quoteId"] }))["rideId"];
}

/** Goes online and reports where he is until he is asked. */
async function offered(call: CallAs, driver: string): Promise<unknown> {
  await call("driver", driver, "GoOnline", { requestId: randomUUID(), location: home, vehicle: { seats: 4, plate: "RG 1", model: "Sedan" } });
  for (let sequence = 1; sequence * 500 < offerTimeoutMs; sequence++) {
    const position = { sequence: String(sequence), location: home, accuracyM: 5, observeTime: new Date().toISOString() };
    await call("driver", driver, "ReportPositions", { positions: [position] });
    const { driver: state } = (await call("driver", driver, "GetDriver", {})) as { readonly driver: Json };
    if (state["offerId"] !== undefined && state["offerId"] !== "") return state["offerId"];
    await sleep(500);
  }
  throw new Error(`Driver "${driver}" was not asked within ${offerTimeoutMs} ms`);
}

async function goHome(call: CallAs, driver: string): Promise<void> {
  await call("driver", driver, "GoOffline", { requestId: randomUUID() });
}

async function told(call: CallAs, rider: string, rideId: unknown, what: string, minVersion: unknown): Promise<string> {
  const ride = rideOf(await call("rider", rider, "GetRide", { rideId, minVersion }));
  return `${what}: ${String(ride["status"])} at attempt ${String(ride["attempt"])}, version ${String(ride["version"])}`;
}

function rideOf(answer: Json): Json {
  return answer["ride"] as Json;
}
