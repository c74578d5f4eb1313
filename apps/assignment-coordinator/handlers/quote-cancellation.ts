/** What canceling would cost the calling rider now, and until when that stands. */
import { create } from "@bufbuild/protobuf";
import { moneyToWire, optionalTime } from "@ridegrid/contracts";
import { QuoteCancellationResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { QuoteCancellationResponseSchema as QuoteSchema } from "@ridegrid/contracts/gen/rider/v1/rider_service_pb";
import { quoteCancellation as priceCancellation } from "@ridegrid/domain";
import { apiError, refusalError } from "@ridegrid/rpc";
import { marketRules } from "../market-rules.ts";
import { databaseNowMs } from "../read-clock.postgres.ts";
import { readRide } from "../read-ride.postgres.ts";
import { callerAs, given, lower } from "../request-facts.ts";
import type { CoordinatorImpl, HandlerDeps } from "./handler.ts";

const cancelable: ReadonlySet<string> = new Set(["requested", "offered", "assigned", "arrived"]);

export function quoteCancellation({ sql, regions }: HandlerDeps): CoordinatorImpl["quoteCancellation"] {
  return async (request, context) => {
    const { principal } = callerAs(context, "rider");
    const { rideId } = given(request.command, "command");
    const [ride, nowMs] = await Promise.all([readRide(sql, lower(rideId)), databaseNowMs(sql)]);
    if (ride === null || ride.riderId !== principal) throw apiError("RIDE_NOT_FOUND", `Ride "${rideId}" was not found`);
    if (!cancelable.has(ride.status)) {
      throw refusalError({ kind: "refused", reason: "ride_state", message: `Cannot price a cancel of the ride: it is ${ride.status}`, status: ride.status });
    }
    const { fee, validUntilMs } = priceCancellation(ride, { nowMs, ...marketRules(regions, ride) });
    return create(QuoteCancellationResponseSchema, { quote: create(QuoteSchema, { fee: moneyToWire(fee), ...optionalTime("validUntil", validUntilMs) }) });
  };
}
