/** The database's clock, by which every process corrects its own. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@ridegrid/contracts";
import { NowResponseSchema } from "@ridegrid/contracts/gen/mesh/v1/mesh_pb";
import { databaseNowMs } from "../read-clock.postgres.ts";
import type { CoordinatorImpl, HandlerDeps } from "./handler.ts";

export function now({ sql }: HandlerDeps): CoordinatorImpl["now"] {
  return async () => create(NowResponseSchema, { now: timestampFromMs(await databaseNowMs(sql)) });
}
