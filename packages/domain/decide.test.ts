/** The state table of a ride, row by row, in the domain's own words: given a ride, when a command, then an event or a refusal. */
import { describe, expect, test } from "bun:test";
import { decideGoOffline, decideGoOnline } from "./decide.ts";
import { newDriver } from "./driver.ts";
import { driverId, riderId } from "./ids.ts";
import { createScenario, given, nowMs, policy, quoteOf } from "./scenario.fixtures.ts";

const { requested, offered, assigned, arrived, inProgress, completed, canceled } = createScenario();

describe("RequestRide", () => {
  test("an own, unused, valid quote becomes a requested ride with a search deadline", () => {
    given(null)
      .when({ type: "RequestRide" })
      .thenRide({
        status: "requested",
        version: 1,
        attempt: 1,
        fare: quoteOf(riderId("r-1"), 1).fare,
        searchDeadlineMs: nowMs + policy.searchMs,
        timer: { kind: "search", atMs: nowMs + policy.searchMs },
      });
  });
  test("refuses another rider's quote, a used one, an expired one, a second open ride", () => {
    given(null).when({ type: "RequestRide", riderId: "r-2" }).thenRefused("quote_not_found");
    given(null).when({ type: "RequestRide", quoteUsed: true }).thenRefused("quote_used");
    given(null).when({ type: "RequestRide", quoteExpiresInMs: 0 }).thenRefused("quote_expired");
    given(null).when({ type: "RequestRide", quoteExpiresInMs: 1 }).thenRide({ status: "requested" });
    given(null).when({ type: "RequestRide", riderHasOpenRide: true }).thenRefused("ride_already_open");
  });
});

describe("SendOffer", () => {
  test("asks an available driver of the market, until the offer's time is up", () => {
    given(requested)
      .when({ type: "SendOffer" })
      .thenRide({ status: "offered", timer: { kind: "offer", atMs: nowMs + policy.offerTtlMs } })
      .thenDriver({ status: "offered", version: 2 });
  });
  test("is stale for another version, another epoch, a blocked driver, one who is not available, another market, too few seats", () => {
    given(requested).when({ type: "SendOffer", rideVersion: 2 }).thenRefused("stale");
    given(requested).when({ type: "SendOffer", leaseEpoch: 6 }).thenRefused("stale");
    given({ ...requested, ride: { ...requested.ride, blockedDrivers: [requested.driver.driverId] } })
      .when({ type: "SendOffer" })
      .thenRefused("stale");
    given({ ...requested, driver: { ...requested.driver, status: "offline" } })
      .when({ type: "SendOffer" })
      .thenRefused("stale");
    given({ ...requested, ride: { ...requested.ride, marketId: createScenario().otherMarket } })
      .when({ type: "SendOffer" })
      .thenRefused("stale");
    given({ ...requested, ride: { ...requested.ride, seats: 5 } })
      .when({ type: "SendOffer" })
      .thenRefused("stale");
    given(offered).when({ type: "SendOffer", rideVersion: 2 }).thenRefused("stale");
  });
});

describe("AcceptOffer", () => {
  test("makes the offer the assignment, with a bound on the arrival", () => {
    const bound = nowMs + policy.arrivalFactor * 120_000 + policy.arrivalSlackMs;
    given(offered)
      .when({ type: "AcceptOffer" })
      .thenRide({ status: "assigned", timer: { kind: "arrival", atMs: bound } })
      .thenDriver({ status: "en_route" });
  });
  test("never leaves more time for the arrival than the policy's most", () => {
    const { ride, driver } = offered;
    if (ride.offer === null) throw new Error("an offered ride has an offer");
    given({ ride: { ...ride, offer: { ...ride.offer, pickupEtaSeconds: 10_000 } }, driver })
      .when({ type: "AcceptOffer" })
      .thenRide({ timer: { kind: "arrival", atMs: nowMs + policy.arrivalMaxMs } });
  });
  test("the deadline is exclusive", () => {
    given(offered)
      .at(nowMs + policy.offerTtlMs - 1)
      .when({ type: "AcceptOffer" })
      .thenRide({ status: "assigned" });
    given(offered)
      .at(nowMs + policy.offerTtlMs)
      .when({ type: "AcceptOffer" })
      .thenRefused("offer_expired");
  });
  test("refuses another driver, another offer, an answered offer, an unknown ride", () => {
    given(offered).when({ type: "AcceptOffer", driverId: "d-2" }).thenRefused("offer_not_found");
    given(requested).when({ type: "AcceptOffer" }).thenRefused("offer_withdrawn");
    given(requested).when({ type: "AcceptOffer", offerStatus: "expired" }).thenRefused("offer_expired");
    given(assigned).when({ type: "AcceptOffer" }).thenRefused("ride_state");
    given(null).when({ type: "AcceptOffer" }).thenRefused("offer_not_found");
  });
});

describe("DeclineOffer", () => {
  test("sends the ride back to matching without this driver", () => {
    given(offered)
      .when({ type: "DeclineOffer" })
      .thenRide({ status: "requested", attempt: 2, blockedDrivers: [offered.driver.driverId], offer: null })
      .thenDriver({ status: "available", rideId: null });
    given(offered).when({ type: "DeclineOffer", goingOffline: true }).thenDriver({ status: "offline" });
  });
  test("keeps the search deadline of the request", () => {
    given(offered)
      .at(nowMs + 1_000)
      .when({ type: "DeclineOffer" })
      .thenRide({ searchDeadlineMs: offered.ride.searchDeadlineMs, timer: { kind: "search", atMs: offered.ride.searchDeadlineMs } });
  });
});

describe("ArriveAtPickup", () => {
  test("counts within the radius, by a position that is known", () => {
    given(assigned)
      .when({ type: "ArriveAtPickup", metersFromPickup: policy.arrivalRadiusMeters })
      .thenRide({ status: "arrived", noShowAtMs: nowMs + policy.noShowMs, timer: { kind: "no_show", atMs: nowMs + policy.noShowMaxMs } });
    given(assigned)
      .when({ type: "ArriveAtPickup", metersFromPickup: policy.arrivalRadiusMeters + 0.5 })
      .thenRefused("too_far");
    given(assigned).when({ type: "ArriveAtPickup", metersFromPickup: null }).thenRefused("too_far");
    given(assigned).when({ type: "ArriveAtPickup", metersFromPickup: Number.NaN }).thenRefused("too_far");
  });
  test("refuses a driver who is only asked, another driver, and a second arrival", () => {
    given(offered).when({ type: "ArriveAtPickup" }).thenRefused("ride_not_found");
    given(assigned).when({ type: "ArriveAtPickup", driverId: "d-2" }).thenRefused("ride_not_found");
    given(arrived).when({ type: "ArriveAtPickup" }).thenRefused("ride_state");
  });
});

describe("StartRide", () => {
  test("takes the rider's PIN, and too many wrong ones lock it", () => {
    given(arrived).when({ type: "StartRide" }).thenRide({ status: "in_progress", timer: null }).thenDriver({ status: "on_trip" });
    given(arrived)
      .when({ type: "StartRide", pinMatches: false, pinFailures: policy.pinTriesMax - 1 })
      .thenRefused("wrong_pin");
    given(arrived).when({ type: "StartRide", pinFailures: policy.pinTriesMax }).thenRefused("pin_locked");
    given(assigned).when({ type: "StartRide" }).thenRefused("ride_state");
  });
});

describe("CompleteRide", () => {
  test("ends the trip and frees the driver", () => {
    given(inProgress)
      .when({ type: "CompleteRide" })
      .thenRide({ status: "completed", endedAtMs: nowMs, offer: null, lastDriverId: inProgress.driver.driverId })
      .thenDriver({ status: "available", rideId: null });
    given(inProgress).when({ type: "CompleteRide", party: "operator" }).thenRide({ status: "completed" });
    given(inProgress).when({ type: "CompleteRide", driverId: "d-2" }).thenRefused("ride_not_found");
    given(arrived).when({ type: "CompleteRide" }).thenRefused("ride_state");
    given(completed).when({ type: "CompleteRide" }).thenRefused("ride_state");
  });
});

describe("ReleaseRide", () => {
  test("sends the ride back with a new search deadline, and never charges the rider", () => {
    given(assigned)
      .at(nowMs + 200_000)
      .when({ type: "ReleaseRide" })
      .thenRide({ status: "requested", attempt: 2, searchDeadlineMs: nowMs + 200_000 + policy.searchMs, cancellationFee: null });
    given(arrived).when({ type: "ReleaseRide" }).thenRide({ status: "requested", noShowAtMs: null });
    given(inProgress).when({ type: "ReleaseRide" }).thenRefused("ride_state");
  });
  test("is a no-show only after the rider's waiting time, and then the rider pays", () => {
    given(arrived)
      .at(nowMs + policy.noShowMs - 1)
      .when({ type: "ReleaseRide", reason: "no_show" })
      .thenRefused("ride_state");
    given(arrived)
      .at(nowMs + policy.noShowMs)
      .when({ type: "ReleaseRide", reason: "no_show" })
      .thenRide({ status: "canceled", canceledBy: "driver", cancellationFee: { currencyCode: "USD", amountMinor: 700 } });
    given(assigned).when({ type: "ReleaseRide", reason: "no_show" }).thenRefused("ride_state");
  });
});

describe("ReleaseSilentDriver", () => {
  test("takes the ride from its silent driver, by the current version and epoch only", () => {
    given(assigned).when({ type: "ReleaseSilentDriver" }).thenRide({ status: "requested", attempt: 2 }).thenDriver({ status: "available" });
    given(assigned).when({ type: "ReleaseSilentDriver", rideVersion: 2 }).thenRefused("stale");
    given(assigned).when({ type: "ReleaseSilentDriver", leaseEpoch: 6 }).thenRefused("stale");
    given(assigned).when({ type: "ReleaseSilentDriver", driverId: "d-2" }).thenRefused("stale");
    given(inProgress).when({ type: "ReleaseSilentDriver", rideVersion: 5 }).thenRefused("stale");
  });
});

describe("CancelRide", () => {
  test("is free for the rider until two minutes after the assignment, then costs the market's fee", () => {
    given(requested).when({ type: "CancelRide" }).thenRide({ status: "canceled", canceledBy: "rider", cancellationFee: null });
    given(assigned)
      .at(nowMs + policy.freeCancelMs - 1)
      .when({ type: "CancelRide" })
      .thenRide({ status: "canceled", cancellationFee: null });
    given(assigned)
      .at(nowMs + policy.freeCancelMs)
      .when({ type: "CancelRide" })
      .thenRide({ status: "canceled", cancellationFee: { currencyCode: "USD", amountMinor: 500 } });
    given(assigned)
      .at(nowMs + policy.freeCancelMs)
      .when({ type: "CancelRide", party: "operator" })
      .thenRide({ status: "canceled", canceledBy: "operator", cancellationFee: null });
  });
  test("a pending offer makes nobody the ride's driver", () => {
    given(offered).when({ type: "CancelRide" }).thenRide({ status: "canceled", lastDriverId: null }).thenDriver({ status: "available", offerId: null });
  });
  test("refuses a rider in progress, another rider, and what has ended", () => {
    given(inProgress).when({ type: "CancelRide" }).thenRefused("ride_state");
    given(inProgress).when({ type: "CancelRide", party: "operator" }).thenRide({ status: "canceled" });
    given(assigned).when({ type: "CancelRide", riderId: "r-2" }).thenRefused("ride_not_found");
    given(canceled).when({ type: "CancelRide" }).thenRefused("ride_state");
  });
});

describe("FireTimer", () => {
  test("fires what is due, by the state's own bound", () => {
    given(requested)
      .at(nowMs + policy.searchMs)
      .when({ type: "FireTimer" })
      .thenRide({ status: "no_drivers", timer: null });
    given(offered)
      .at(nowMs + policy.offerTtlMs)
      .when({ type: "FireTimer" })
      .thenRide({ status: "requested", attempt: 2 })
      .thenDriver({ status: "available" });
    given(assigned)
      .at(nowMs + policy.arrivalMaxMs)
      .when({ type: "FireTimer" })
      .thenRide({ status: "requested", blockedDrivers: [assigned.driver.driverId] });
    given(arrived)
      .at(nowMs + policy.noShowMaxMs)
      .when({ type: "FireTimer" })
      .thenRide({ status: "canceled", canceledBy: "system", cancelReason: "no_show", cancellationFee: { currencyCode: "USD", amountMinor: 700 } });
  });
  test("is stale a millisecond early, and for a ride in progress", () => {
    given(offered)
      .at(nowMs + policy.offerTtlMs - 1)
      .when({ type: "FireTimer" })
      .thenRefused("stale");
    given(inProgress)
      .at(nowMs + 7 * 3_600_000)
      .when({ type: "FireTimer" })
      .thenRefused("stale");
  });
});

describe("GoOnline and GoOffline", () => {
  const { shift } = requested.driver;
  if (shift === null) throw new Error("an available driver has a shift");
  test.each([
    ["offline", newDriver(driverId("d-1")), "available", "driver_offline"],
    ["available", requested.driver, "available", "offline"],
    ["offered", offered.driver, "driver_on_ride", "driver_on_ride"],
    ["en_route", assigned.driver, "driver_on_ride", "driver_on_ride"],
    ["on_trip", inProgress.driver, "driver_on_ride", "driver_on_ride"],
  ] as const)("while %s", (status, driver, online, offline) => {
    const said = (decision: ReturnType<typeof decideGoOnline>): string => (decision.kind === "refused" ? decision.reason : decision.driver.status);
    expect(driver.status).toBe(status);
    expect(said(decideGoOnline(driver, shift, { nowMs }))).toBe(online);
    expect(said(decideGoOffline(driver, { nowMs }))).toBe(offline);
  });
});
