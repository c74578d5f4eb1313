/**
 * The four digits that a rider tells the driver: HMAC-SHA-256(secret, ride id) cut to a decimal number.
 *
 * Computed where it is shown or checked; never stored, logged or put on an event.
 */
import { createHmac } from "node:crypto";

/** Leading zeros are kept. The cut is the dynamic truncation of RFC 4226 §5.3, applied to SHA-256. */
export function ridePin(secret: string, rideId: string): string {
  const digest = createHmac("sha256", secret).update(rideId).digest();
  const offset = digest.readUInt8(digest.length - 1) & 0x0f;
  return String((digest.readUInt32BE(offset) & 0x7fff_ffff) % 10_000).padStart(4, "0");
}
