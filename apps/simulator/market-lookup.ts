/** Finds the market among those the platform serves, waiting a little for a platform that is starting. */
import type { CallOptions } from "@connectrpc/connect";
import type { Region } from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import { type City, createCity } from "./city.ts";
import type { Clock } from "./clock.ts";
import { Complaint } from "./complaint.ts";
import { failureOf } from "./failure.ts";
import type { GatewayClient } from "./gateway-client.ts";
import type { Identity } from "./identity.ts";
import { startPollMs } from "./limits.ts";
import { pause } from "./pause.ts";

export type LookupDeps = {
  readonly gateway: GatewayClient;
  readonly operator: Identity;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly patienceMs: number;
};

/** @throws a complaint when the platform does not answer in time or serves no such market. */
export async function findMarket(deps: LookupDeps, marketId: string): Promise<City> {
  const regions = await listRegions(deps);
  for (const { region, markets } of regions) {
    const market = markets.find((candidate) => candidate.marketId === marketId);
    if (market !== undefined) return createCity({ marketId, homeRegion: region, cells: market.cells });
  }
  const known = regions.flatMap(({ markets }) => markets.map((market) => market.marketId));
  throw new Complaint(`Cannot simulate market "${marketId}": the platform serves ${known.join(", ") || "none"}`);
}

async function listRegions({ gateway, operator, clock, signal, patienceMs }: LookupDeps): Promise<readonly Region[]> {
  const deadlineMs = clock.nowMs() + patienceMs;
  for (;;) {
    try {
      const options: CallOptions = { headers: await operator.headers(), timeoutMs: patienceMs, signal };
      return (await gateway.ops.listRegions({}, options)).regions;
    } catch (cause) {
      const failure = failureOf(cause);
      const detail = cause instanceof Error ? cause.message : String(cause);
      const hopeless = failure.kind === "refused" || clock.nowMs() > deadlineMs || signal.aborted;
      if (hopeless) throw new Complaint(`Cannot reach the platform at ${gateway.url}: ${detail}`, { cause });
      await pause(startPollMs, signal);
    }
  }
}
