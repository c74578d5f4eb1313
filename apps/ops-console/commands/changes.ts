/** What an operator changes. Each takes `--reason`, which is kept in the audit, and a request id of its own. */
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import {
  CancelRideResponseSchema,
  CompleteRideResponseSchema,
  DrainRegionResponseSchema,
  RebuildReadModelResponseSchema,
  ReplayDeadLettersResponseSchema,
  ResetPinTriesResponseSchema,
  TakeOverRegionResponseSchema,
  UndrainRegionResponseSchema,
  WaiveFeeResponseSchema,
} from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import { reasonOf } from "@ridegrid/rpc";
import { setTimeout as sleep } from "node:timers/promises";
import { type Command, type CommandContext, type CommandResult, messageJson, oneOperand } from "../command.ts";
import { UsageError } from "../command-line.ts";
import { moneyText } from "./format.ts";

type Change = { readonly requestId: string; readonly reason: string };

export const changeCommands: Readonly<Record<string, Command>> = {
  cancel: onRide(
    "cancel",
    "cancel an open ride",
    (client, ride) => client.cancelRide(ride),
    CancelRideResponseSchema,
    () => "canceled",
  ),
  complete: onRide(
    "complete",
    "complete a ride in progress",
    (client, ride) => client.completeRide(ride),
    CompleteRideResponseSchema,
    () => "completed",
  ),
  waive: onRide(
    "waive",
    "give a cancellation fee back",
    (client, ride) => client.waiveFee(ride),
    WaiveFeeResponseSchema,
    ({ waived }) => `waived ${moneyText(waived)}`,
  ),
  "reset-pin": onRide(
    "reset-pin",
    "unlock a ride's PIN",
    (client, ride) => client.resetPinTries(ride),
    ResetPinTriesResponseSchema,
    () => "PIN tries reset",
  ),
  drain: onRegion(
    "drain",
    "take no new rides and shifts",
    (client, region) => client.drainRegion(region),
    DrainRegionResponseSchema,
    () => "draining",
  ),
  undrain: onRegion(
    "undrain",
    "end a drain",
    (client, region) => client.undrainRegion(region),
    UndrainRegionResponseSchema,
    () => "not draining",
  ),
  takeover: onRegion(
    "takeover",
    "move a lost region's markets to its neighbor",
    (client, region) => client.takeOverRegion(region),
    TakeOverRegionResponseSchema,
    ({ region, openRides }) => `taken over by ${region?.region ?? "its neighbor"}, ${openRides} open rides carried on`,
  ),
  replay: {
    usage: "replay DEAD-LETTER… --reason WHY",
    does: "apply dead letters again",
    async run({ client, operands, flags, uuid }) {
      if (operands.length === 0) throw new UsageError("Give the dead letters' ids");
      const response = await client.replayDeadLetters({ ...change(flags.reason, uuid), deadLetterIds: [...operands] });
      return { text: `${response.replayed} replayed`, json: messageJson(ReplayDeadLettersResponseSchema, response) };
    },
  },
  rebuild: {
    usage: "rebuild MODEL --region R [--reason WHY]",
    does: "fold a read model anew and swap it in",
    async run({ client, operands, flags, uuid }) {
      if (flags.region === undefined) throw new UsageError("Give --region");
      // It changes nothing that a rebuild would not change again: why may be left out.
      const request = { ...change(flags.reason ?? "asked for with ops rebuild", uuid), region: flags.region, model: oneOperand(operands, "read model") };
      const response = await untilDone(() => client.rebuildReadModel(request));
      const same = response.hashBefore === response.hashAfter;
      const text = `${response.rows} rows from the ${response.startedFrom}; hash ${same ? "unchanged" : `${response.hashBefore} -> ${response.hashAfter}`}`;
      return { text, json: messageJson(RebuildReadModelResponseSchema, response) };
    },
  },
};

function onRide<Desc extends DescMessage>(
  name: string,
  does: string,
  call: (client: CommandContext["client"], request: Change & { readonly rideId: string }) => Promise<MessageShape<Desc>>,
  schema: Desc,
  said: (response: MessageShape<Desc>) => string,
): Command {
  return {
    usage: `${name} RIDE --reason WHY`,
    does,
    async run({ client, operands, flags, uuid }): Promise<CommandResult> {
      const rideId = oneOperand(operands, "ride id");
      const response = await call(client, { ...change(flags.reason, uuid), rideId });
      return { text: `Ride ${rideId}: ${said(response)}`, json: messageJson(schema, response) };
    },
  };
}

function onRegion<Desc extends DescMessage>(
  name: string,
  does: string,
  call: (client: CommandContext["client"], request: Change & { readonly region: string }) => Promise<MessageShape<Desc>>,
  schema: Desc,
  said: (response: MessageShape<Desc>) => string,
): Command {
  return {
    usage: `${name} REGION --reason WHY`,
    does,
    async run({ client, operands, flags, uuid }): Promise<CommandResult> {
      const region = oneOperand(operands, "region");
      const response = await call(client, { ...change(flags.reason, uuid), region });
      return { text: `Region ${region}: ${said(response)}`, json: messageJson(schema, response) };
    },
  };
}

/** A rebuild outlasts a call; the same request again tells how it ended. */
async function untilDone<T>(call: () => Promise<T>): Promise<T> {
  const deadlineMs = performance.now() + rebuildWaitMs;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (reasonOf(error) !== "REQUEST_IN_FLIGHT" || performance.now() > deadlineMs) throw error;
    }
    await sleep(rebuildAskMs);
  }
}

const rebuildAskMs = 500;
const rebuildWaitMs = 30 * 60_000;

function change(reason: string | undefined, uuid: () => string): Change {
  if (reason === undefined || reason === "") throw new UsageError("Give --reason: it is kept in the audit");
  return { requestId: uuid(), reason };
}
