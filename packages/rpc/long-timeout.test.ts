/** Deadlines that no timer can count. */
import { expect, test } from "bun:test";
import { withoutLongTimeout } from "./long-timeout.ts";

test("withoutLongTimeout() takes away what a timer cannot count, and nothing else", () => {
  const kept = (headers: Record<string, string>) => Object.fromEntries(withoutLongTimeout(new Headers(headers)));
  expect(kept({ "connect-timeout-ms": "2147483648", a: "b" })).toEqual({ a: "b" });
  expect(kept({ "grpc-timeout": "99999999S" })).toEqual({});
  expect(kept({ "grpc-timeout": "597H" })).toEqual({});
  for (const headers of [{ "connect-timeout-ms": "2147483647" }, { "connect-timeout-ms": "soon" }, { "grpc-timeout": "99999999m" }, { "grpc-timeout": "596H" }])
    expect(kept(headers)).toEqual(headers);
});
