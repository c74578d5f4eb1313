/**
 * Gives up sending what a home region's outbox holds: for a region whose rows another region's log gets instead.
 *
 * Rows committed later are sent as ever, should the log come back. Without this, a log that is away for good would keep
 * every old row of every region from being dropped.
 */
import type { Queryable } from "./dependencies.ts";

export async function abandonOutbox(tx: Queryable, homeRegion: string): Promise<void> {
  await tx`
    UPDATE outbox_cursor SET owner = NULL, epoch = epoch + 1, lease_until = 'epoch', snap_from = pg_current_snapshot(), snap_to = NULL, last_id = 0
    WHERE home_region = ${homeRegion}`;
}
