/** An outcome as what the caller gets: the stored answer's bytes, or the refusal as an API error. */
import { refusalError } from "@ridegrid/rpc";
import type { Outcome } from "./ride-store.ts";

export function answerOf(outcome: Outcome): Uint8Array {
  if (outcome.kind === "refused") throw refusalError(outcome);
  return outcome.answer;
}
