/** Audits what an operator did in another service, once per request id. */
import { create, toBinary } from "@bufbuild/protobuf";
import { RecordOperatorActRequestSchema, RecordOperatorActResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { callerAs } from "../request-facts.ts";
import { requestKey } from "../request-key.ts";
import { answerOf } from "../ride-answer.ts";
import type { CoordinatorImpl, HandlerDeps } from "./handler.ts";

export function recordOperatorAct({ operators }: HandlerDeps): CoordinatorImpl["recordOperatorAct"] {
  return async (request, context) => {
    const caller = callerAs(context, "operator");
    const { method, reason, subject, before, after } = request;
    const outcome = await operators.record(
      { subject, before, after },
      {
        request: requestKey(caller, method, RecordOperatorActRequestSchema, request),
        principal: caller.principal,
        method,
        reason,
        answer: () => toBinary(RecordOperatorActResponseSchema, create(RecordOperatorActResponseSchema)),
      },
    );
    answerOf(outcome);
    return create(RecordOperatorActResponseSchema);
  };
}
