/** Follows a market: not live yet. */
import { apiError } from "@ridegrid/rpc";

export function watchMarket(): never {
  throw apiError("UNIMPLEMENTED", "Cannot follow a market: WatchMarket is not live yet");
}
