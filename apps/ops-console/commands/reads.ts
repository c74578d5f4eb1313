/** What an operator looks at: rides, a market, the pipeline, violations, dead letters, the audit. Changes nothing. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  ExplainMatchResponseSchema,
  GetPipelineHealthResponseSchema,
  GetRideResponseSchema,
  GetRideTimelineResponseSchema,
  ListAuditEntriesResponseSchema,
  ListDeadLettersResponseSchema,
  ListInvariantViolationsResponseSchema,
  ListRegionsResponseSchema,
  SearchDriversResponseSchema,
  type SearchRidesRequestSchema,
  SearchRidesResponseSchema,
  WatchMarketResponseSchema,
} from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import type { Ride } from "@ridegrid/contracts/gen/type/v1/ride_pb";
import { type Command, type CommandContext, type CommandResult, messageJson, oneOperand } from "../command.ts";
import { type Flags, UsageError } from "../command-line.ts";
import { renderTable } from "../table.ts";
import { driverStatusText, ridesTable, rideStatusText, timeText } from "./format.ts";

const pageMax = 100;
const radiusDefaultMeters = 5_000;

export const readCommands: Readonly<Record<string, Command>> = {
  ride: { usage: "ride ID", does: "one ride and every event of it", run: ride },
  rides: {
    usage: "rides [--open] [--market M] [--region R] [--rider R] [--driver D] [--near LAT,LNG [--radius M]] [--limit N]",
    does: "rides, newest first",
    run: rides,
  },
  drivers: { usage: "drivers --near LAT,LNG [--radius M] [--limit N]", does: "available drivers, nearest first", run: drivers },
  market: { usage: "market ID", does: "a market's drivers, open rides and cells now", run: market },
  regions: { usage: "regions", does: "regions and their markets", run: regions },
  health: { usage: "health", does: "lags, outboxes, leases, processes", run: health },
  violations: { usage: "violations", does: "broken invariants; exit code 1 when there are any", run: violations },
  "dead-letters": { usage: "dead-letters [--region R] [--limit N]", does: "records a consumer could not apply", run: deadLetters },
  audit: { usage: "audit [--limit N]", does: "what operators did, newest first", run: audit },
  explain: { usage: "explain RIDE", does: "why a ride got the driver it got", run: explain },
};

async function ride({ client, operands }: CommandContext): Promise<CommandResult> {
  const rideId = oneOperand(operands, "ride id");
  const [found, timeline] = await Promise.all([client.getRide({ rideId }), client.getRideTimeline({ rideId })]);
  const events = renderTable({
    columns: ["version", "event", "after ms", "when", "driver", "topic", "partition", "offset", "trace"],
    rows: timeline.entries.map((entry) => [
      entry.version,
      entry.type,
      entry.elapsedMs,
      timeText(entry.occurTime),
      entry.driverId,
      entry.topic,
      entry.partition,
      entry.offset,
      entry.traceId,
    ]),
  });
  const summary = found.ride === undefined ? "" : renderTable(ridesTable([found.ride]));
  return {
    text: `${summary}\n\n${events}`,
    json: { ...objectOf(messageJson(GetRideResponseSchema, found)), timeline: messageJson(GetRideTimelineResponseSchema, timeline) },
  };
}

async function rides({ client, flags, operands }: CommandContext): Promise<CommandResult> {
  noOperands(operands);
  const found: Ride[] = [];
  const missing = new Set<string>();
  let pageToken = "";
  let json: unknown;
  do {
    const page = await client.searchRides({
      pageSize: Math.min(pageMax, flags.limit - found.length),
      pageToken,
      openOnly: flags.open,
      marketId: flags.market ?? "",
      region: flags.region ?? "",
      riderId: flags.rider ?? "",
      driverId: flags.driver ?? "",
      ...areaOf(flags),
    });
    found.push(...page.rides);
    for (const region of page.missingRegions) missing.add(region);
    pageToken = page.nextPageToken;
    json = messageJson(SearchRidesResponseSchema, { ...page, rides: found, missingRegions: [...missing] });
  } while (pageToken !== "" && found.length < flags.limit);
  return { text: renderTable(ridesTable(found)) + noAnswerFrom([...missing]), json };
}

/** The circle that `--near` and `--radius` name. */
function areaOf({ near, radius }: Flags): MessageInitShape<typeof SearchRidesRequestSchema> {
  if (near === undefined && radius !== undefined) throw new UsageError("--radius needs --near");
  return near === undefined ? {} : { area: { center: near, radiusMeters: radius ?? radiusDefaultMeters } };
}

async function drivers({ client, flags, operands }: CommandContext): Promise<CommandResult> {
  noOperands(operands);
  if (flags.near === undefined) throw new UsageError("Say where: --near LATITUDE,LONGITUDE");
  const response = await client.searchDrivers({ near: flags.near, radiusMeters: flags.radius ?? radiusDefaultMeters, limit: Math.min(pageMax, flags.limit) });
  const rows = response.drivers.map(({ driver, distanceMeters, marketId, observeTime }) => [
    driver?.driverId ?? "",
    Math.round(distanceMeters),
    driver?.location?.latitude ?? "",
    driver?.location?.longitude ?? "",
    driver?.stale ?? false,
    marketId,
    timeText(observeTime),
  ]);
  const table = renderTable({ columns: ["driver", "metres", "latitude", "longitude", "stale", "market", "seen"], rows });
  return { text: table + noAnswerFrom(response.missingRegions), json: messageJson(SearchDriversResponseSchema, response) };
}

function noAnswerFrom(regions: readonly string[]): string {
  return regions.length === 0 ? "" : `\n\nNo answer from: ${regions.join(", ")}`;
}

async function market({ client, operands }: CommandContext): Promise<CommandResult> {
  const marketId = oneOperand(operands, "market id");
  const done = new AbortController();
  try {
    for await (const update of client.watchMarket({ marketId }, { signal: done.signal })) {
      if (!update.snapshot) continue;
      const drivers = renderTable({
        columns: ["driver", "status", "latitude", "longitude", "stale"],
        rows: update.drivers.map((driver) => [
          driver.driverId,
          driverStatusText(driver.status),
          driver.location?.latitude ?? "",
          driver.location?.longitude ?? "",
          driver.stale,
        ]),
      });
      const open = renderTable({
        columns: ["ride", "status", "driver"],
        rows: update.rides.map((one) => [one.rideId, rideStatusText(one.status), one.driverId]),
      });
      const cells = renderTable({
        columns: ["cell", "supply", "demand", "surge"],
        rows: update.cells.map((cell) => [cell.cell, cell.supply, cell.demand, cell.surgeMultiplier]),
      });
      return { text: [`As of ${timeText(update.asOf)}`, drivers, open, cells].join("\n\n"), json: messageJson(WatchMarketResponseSchema, update) };
    }
  } finally {
    done.abort();
  }
  throw new Error(`The stream of market "${marketId}" ended without a snapshot`);
}

async function regions({ client, operands }: CommandContext): Promise<CommandResult> {
  noOperands(operands);
  const response = await client.listRegions({});
  const rows = response.regions.flatMap((region) =>
    region.markets.map((one) => [
      region.region,
      region.neighbor,
      region.draining,
      region.servedBy,
      one.marketId,
      one.currencyCode,
      one.timeZone,
      one.partition,
      one.cells.length,
    ]),
  );
  return {
    text: renderTable({ columns: ["region", "neighbor", "draining", "served by", "market", "currency", "time zone", "partition", "cells"], rows }),
    json: messageJson(ListRegionsResponseSchema, response),
  };
}

async function health({ client, operands }: CommandContext): Promise<CommandResult> {
  noOperands(operands);
  const response = await client.getPipelineHealth({});
  const consumers = renderTable({
    columns: ["region", "consumer", "topic", "partition", "next", "end", "lag"],
    rows: response.consumers.map((one) => [one.region, one.consumer, one.topic, one.partition, one.nextOffset, one.endOffset, one.lag]),
  });
  const outboxes = renderTable({
    columns: ["writer", "region", "depth", "oldest ms", "owner", "epoch"],
    rows: response.outboxes.map((one) => [one.writer, one.region, one.depth, one.oldestAgeMs, one.owner, one.epoch]),
  });
  const leases = renderTable({
    columns: ["region", "consumer", "partition", "owner", "epoch", "ends in ms"],
    rows: response.leases.map((one) => [one.region, one.consumer, one.partition, one.owner, one.epoch, one.expiresInMs]),
  });
  const processes = renderTable({
    columns: ["process", "region", "ready", "since", "detail"],
    rows: response.processes.map((one) => [one.name, one.region, one.ready, timeText(one.startTime), one.detail]),
  });
  const missing = response.missingRegions.length === 0 ? [] : [`No answer from: ${response.missingRegions.join(", ")}`];
  return { text: [...missing, consumers, outboxes, leases, processes].join("\n\n"), json: messageJson(GetPipelineHealthResponseSchema, response) };
}

async function violations({ client, operands }: CommandContext): Promise<CommandResult> {
  noOperands(operands);
  const response = await client.listInvariantViolations({});
  const rows = response.violations.map((one) => [one.invariant, one.rideId, one.driverId, one.detail]);
  return {
    text: renderTable({ columns: ["invariant", "ride", "driver", "detail"], rows }),
    json: messageJson(ListInvariantViolationsResponseSchema, response),
    failed: rows.length > 0,
  };
}

async function deadLetters({ client, flags, operands }: CommandContext): Promise<CommandResult> {
  noOperands(operands);
  const response = await client.listDeadLetters({ pageSize: Math.min(pageMax, flags.limit), region: flags.region ?? "" });
  const rows = response.deadLetters.map((one) => [
    one.deadLetterId,
    one.region,
    one.consumer,
    one.topic,
    one.partition,
    one.offset,
    one.key,
    one.attempts,
    timeText(one.createTime),
    one.reason,
  ]);
  return {
    text: renderTable({ columns: ["id", "region", "consumer", "topic", "partition", "offset", "key", "attempts", "when", "reason"], rows }),
    json: messageJson(ListDeadLettersResponseSchema, response),
  };
}

async function audit({ client, flags, operands }: CommandContext): Promise<CommandResult> {
  noOperands(operands);
  const response = await client.listAuditEntries({ pageSize: Math.min(pageMax, flags.limit) });
  const rows = response.entries.map((one) => [timeText(one.createTime), one.principal, one.method, one.subject, one.reason]);
  return { text: renderTable({ columns: ["when", "who", "method", "subject", "reason"], rows }), json: messageJson(ListAuditEntriesResponseSchema, response) };
}

async function explain({ client, operands }: CommandContext): Promise<CommandResult> {
  const response = await client.explainMatch({ rideId: oneOperand(operands, "ride id") });
  const rows = response.candidates.map((one) => [one.driverId, one.pickupEtaSeconds, one.chosen, one.reason]);
  return { text: renderTable({ columns: ["driver", "pickup s", "chosen", "why not"], rows }), json: messageJson(ExplainMatchResponseSchema, response) };
}

function noOperands(operands: readonly string[]): void {
  if (operands[0] !== undefined) throw new UsageError(`Unexpected argument "${operands[0]}"`);
}

function objectOf(json: unknown): object {
  return typeof json === "object" && json !== null ? json : {};
}
