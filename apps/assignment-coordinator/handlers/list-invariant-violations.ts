/** What breaks an invariant in the coordinator's tables, as the view states it. */
import { create } from "@bufbuild/protobuf";
import { ListInvariantViolationsResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { readViolations } from "../read-violations.postgres.ts";
import type { CoordinatorImpl, HandlerDeps } from "./handler.ts";

export function listInvariantViolations({ sql }: HandlerDeps): CoordinatorImpl["listInvariantViolations"] {
  return async () => create(ListInvariantViolationsResponseSchema, { violations: [...(await readViolations(sql))] });
}
