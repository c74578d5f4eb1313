/** An operator replays dead letters: the coordinator applies its own among them and audits the whole. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ReplayDeadLettersResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { ReplayDeadLettersRequestSchema } from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import { callerAs, given, lower } from "../request-facts.ts";
import { requestKey } from "../request-key.ts";
import { answerOf } from "../ride-answer.ts";
import type { CoordinatorImpl, HandlerDeps } from "./handler.ts";

export function replayDeadLetters({ operators }: HandlerDeps): CoordinatorImpl["replayDeadLetters"] {
  return async (request, context) => {
    const caller = callerAs(context, "operator");
    const command = given(request.command, "command");
    const outcome = await operators.replayDeadLetters(command.deadLetterIds.map(lower), {
      request: requestKey(caller, "ReplayDeadLetters", ReplayDeadLettersRequestSchema, command),
      principal: caller.principal,
      method: "ReplayDeadLetters",
      reason: command.reason,
      answer: (replayed) => toBinary(ReplayDeadLettersResponseSchema, create(ReplayDeadLettersResponseSchema, { replayed })),
    });
    return fromBinary(ReplayDeadLettersResponseSchema, answerOf(outcome));
  };
}
