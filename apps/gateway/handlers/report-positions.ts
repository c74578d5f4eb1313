/** `DriverService.ReportPositions`: a batch, answered when what was taken of it is durable. Browsers report this way. */
import type { HandlerContext } from "@connectrpc/connect";
import type { RejectedPosition, ReportPositionsRequest } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { callerOf } from "@ridegrid/rpc";
import { reportedPosition } from "../reported-position.ts";
import type { SubmitPositions } from "../submit-positions.ts";

export async function reportPositions(
  submit: SubmitPositions,
  { positions }: ReportPositionsRequest,
  context: HandlerContext,
): Promise<{ readonly ackedSequence: bigint; readonly rejected: RejectedPosition[] }> {
  const { ackedSequence, rejected } = await submit.all({ driverId: callerOf(context).principal, streamId: "" }, positions.map(reportedPosition));
  return { ackedSequence: BigInt(ackedSequence), rejected: [...rejected] };
}
