/** What is wrong with a body, as FIELD_INVALID with the path of its field; a JSON body is known by its text. */
import type { DescMessage } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import { edgeBodyBytesMax } from "./limits.ts";
import { apiError } from "./refusal-error.ts";
import { holdsEnums, undecodableField } from "./undecodable-field.ts";

export function tooLarge(): ConnectError {
  return apiError("TOO_LARGE", `Cannot take the message: it is larger than ${edgeBodyBytesMax} bytes`, { max_bytes: String(edgeBodyBytesMax) });
}

/** An enum value that does not exist is passed over by the decoder, and a reason that was given would be lost. */
export function unknownEnum(schema: DescMessage, json: () => string | undefined): ConnectError | undefined {
  if (!holdsEnums(schema)) return undefined;
  const found = describe(schema, json());
  return found === undefined || found.field === "body" ? undefined : fieldInvalid(found.field, found.problem);
}

export function undecodable(schema: DescMessage, json: string | undefined): ConnectError {
  const found = describe(schema, json);
  return fieldInvalid(found?.field ?? "body", found?.problem ?? "it does not decode, or its headers do not describe it");
}

function describe(schema: DescMessage, json: string | undefined): ReturnType<typeof undecodableField> {
  if (json === undefined) return undefined;
  try {
    return undecodableField(schema, JSON.parse(json));
  } catch (error) {
    return { field: "body", problem: error instanceof Error ? error.message : String(error) };
  }
}

function fieldInvalid(field: string, problem: string): ConnectError {
  return apiError("FIELD_INVALID", `Cannot decode the message: "${field}": ${problem}`, { field });
}
