/**
 * A deadline further away than a timer can count, about 25 days, is none: left to the library it would end the call at
 * once, because such a timer fires after one millisecond.
 */
import { timerMaxMs } from "./limits.ts";

/** The headers as they are, or a copy without the deadline. */
export function withoutLongTimeout(header: Headers): Headers {
  const names = ["connect-timeout-ms", "grpc-timeout"].filter((name) => milliseconds(header.get(name)) > timerMaxMs);
  if (names.length === 0) return header;
  const kept = new Headers(header);
  for (const name of names) kept.delete(name);
  return kept;
}

const unitsMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** 0 for what is no timeout: the library says so. */
function milliseconds(value: string | null): number {
  const [, digits, unit] = /^(\d{1,10})([HMSmun]?)$/.exec(value ?? "") ?? [];
  return Number(digits ?? 0) * (unitsMs[unit ?? ""] ?? 1);
}
