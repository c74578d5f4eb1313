/** `toApiError()`: what each kind of error becomes, and which of them a log must hear of. */
import { expect, test } from "bun:test";
import { PassThrough } from "node:stream";
import { Code, ConnectError } from "@connectrpc/connect";
import { type ApiReason, apiReasons } from "./api-reason.ts";
import { toApiError } from "./error-mapping.ts";
import { apiError, reasonOf, refusalError } from "./refusal-error.ts";

const withCode = (code: string): Error => Object.assign(new Error(code), { code });

const known: Record<string, { readonly error: unknown; readonly reason: ApiReason }> = {
  "an API error": { error: apiError("WRONG_PIN", "no"), reason: "WRONG_PIN" },
  "a closed database connection": { error: withCode("CONNECTION_CLOSED"), reason: "DEPENDENCY_AWAY" },
  "a database that shuts down": { error: withCode("57P01"), reason: "DEPENDENCY_AWAY" },
  "any of class 08": { error: withCode("08006"), reason: "DEPENDENCY_AWAY" },
  "a refused connection deep in the causes": { error: new Error("x", { cause: new AggregateError([withCode("ECONNREFUSED")]) }), reason: "DEPENDENCY_AWAY" },
  "an abort": { error: new DOMException("aborted", "AbortError"), reason: "CANCELED" },
  "a time-out": { error: new DOMException("late", "TimeoutError"), reason: "DEADLINE_EXCEEDED" },
  "a body that does not decode": { error: new ConnectError("parse binary: premature EOF", Code.Internal), reason: "FIELD_INVALID" },
  "a message over the limit": { error: new ConnectError("message size is larger", Code.ResourceExhausted), reason: "TOO_LARGE" },
  "a method without a handler": { error: new ConnectError("no", Code.Unimplemented), reason: "UNIMPLEMENTED" },
};
for (const [name, { error, reason }] of Object.entries(known)) {
  test(`toApiError() makes ${name} ${reason}, and tells no log`, () => {
    const faults: unknown[] = [];
    const mapped = toApiError(error, (fault) => faults.push(fault));
    expect([reasonOf(mapped), mapped.code]).toEqual([reason, apiReasons[reason].code]);
    expect(faults).toEqual([]);
  });
}

test("toApiError() takes a caller that left in the middle of its messages for that", async () => {
  const stream = new PassThrough();
  const messages = stream[Symbol.asyncIterator]();
  const next = messages.next();
  stream.destroy();
  const error: unknown = await next.catch((reason: unknown) => reason);
  expect(reasonOf(toApiError(error, () => expect.unreachable("no fault")))).toBe("CANCELED");
});

test("toApiError() hides what nobody foresaw and tells the log", () => {
  const faults: unknown[] = [];
  const error = new TypeError("the secret is 42");
  const mapped = toApiError(error, (fault) => faults.push(fault));
  expect([reasonOf(mapped), mapped.rawMessage.includes("42")]).toEqual(["INTERNAL", false]);
  expect(faults).toEqual([error]);
  // A violated constraint is a bug, not an absence.
  expect(reasonOf(toApiError(withCode("23505")))).toBe("INTERNAL");
});

test("refusalError() shows every refusal but a stale one", () => {
  expect(reasonOf(refusalError({ kind: "refused", reason: "too_far", message: "too far" }))).toBe("TOO_FAR");
  expect(() => refusalError({ kind: "refused", reason: "stale", message: "late" })).toThrow("stale");
});
