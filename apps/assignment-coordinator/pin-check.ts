/** Compares PINs in a time that says nothing about the right one. */
import { timingSafeEqual } from "node:crypto";
import { ridePin } from "@ridegrid/contracts";

export function pinMatches({ pinSecret, rideId, pin }: { readonly pinSecret: string; readonly rideId: string; readonly pin: string }): boolean {
  const expected = Buffer.from(ridePin(pinSecret, rideId));
  const given = Buffer.from(pin);
  return given.length === expected.length && timingSafeEqual(given, expected);
}
