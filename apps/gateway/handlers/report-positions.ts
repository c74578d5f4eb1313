/** `DriverService.ReportPositions`: a batch, answered when what was taken of it is durable. Browsers report this way. */
import type { HandlerContext } from "@connectrpc/connect";
import type { ReportPositionsRequest } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { callerOf } from "@ridegrid/rpc";
import type { PositionsFate, SubmitPositions } from "../submit-positions.ts";

export async function reportPositions(
  submit: SubmitPositions,
  { positions }: ReportPositionsRequest,
  context: HandlerContext,
): Promise<Pick<PositionsFate, "ackedSequence" | "rejected">> {
  const { ackedSequence, rejected } = await submit({ driverId: callerOf(context).principal, streamId: "" }, positions);
  return { ackedSequence, rejected };
}
