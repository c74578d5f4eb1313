/** Errors of requests that reach no method, as Connect's error JSON: those carry an ErrorInfo too. */
import type { ConnectError } from "@connectrpc/connect";
import type { UniversalHandler, UniversalServerResponse } from "@connectrpc/connect/protocol";
import { errorToJson } from "@connectrpc/connect/protocol-connect";
import { apiError } from "./refusal-error.ts";

export function unknownMethodError(path: string): Response {
  return errorResponse(404, apiError("UNIMPLEMENTED", `There is nothing at "${path}"`));
}

export function thrownError(error: ConnectError): Response {
  return errorResponse(500, error);
}

/** The library answers a wrong HTTP method or content type with a status alone. */
export function bareStatusError(response: UniversalServerResponse, handler: UniversalHandler): Response {
  const error =
    response.status === 405
      ? apiError("UNIMPLEMENTED", `Cannot call ${handler.requestPath} with this HTTP method: it takes ${handler.allowedMethods.join(" and ")}`)
      : apiError("FIELD_INVALID", `Cannot call ${handler.requestPath}: the content type is none of a protocol it speaks`, { field: "content-type" });
  return errorResponse(response.status, error, response.header === undefined ? undefined : new Headers(response.header));
}

function errorResponse(status: number, error: ConnectError, header?: Headers): Response {
  const headers = new Headers(header);
  headers.set("content-type", "application/json");
  return new Response(JSON.stringify(errorToJson(error, undefined)), { status, headers });
}
