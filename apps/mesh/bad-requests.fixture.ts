/**
 * Every public method with every field of its request broken in every way that JSON allows, made from the contract's
 * own descriptors: a method or field that is added is broken too, without a line here.
 */
import { type DescField, type DescMessage, type DescMethod, ScalarType } from "@bufbuild/protobuf";
import { DriverService, OpsService, RiderService } from "@ridegrid/contracts";
import { isApiReason } from "@ridegrid/rpc";

export type PublicMethod = { readonly name: string; readonly role: "rider" | "driver" | "operator"; readonly streams: boolean; readonly input: DescMessage };

/** `mustRefuse`: no reading of the contract accepts it. */
export type BadRequest = { readonly method: PublicMethod; readonly what: string; readonly field: string; readonly body: string; readonly mustRefuse: boolean };

export type Answer = { readonly status: number; readonly text: string };

/** All but the bidirectional stream, which HTTP/1.1 cannot carry. */
export const publicMethods: readonly PublicMethod[] = [
  ...RiderService.methods.map((method) => methodOf(method, "rider")),
  ...DriverService.methods.filter(({ methodKind }) => methodKind !== "bidi_streaming").map((method) => methodOf(method, "driver")),
  ...OpsService.methods.map((method) => methodOf(method, "operator")),
];

export function badRequests(): readonly BadRequest[] {
  return publicMethods.flatMap((method) => {
    const whole = exampleOf(method.input, 0);
    const bodies = [
      { what: "no JSON", field: "", body: "{", mustRefuse: true },
      { what: "a list", field: "", body: "[]", mustRefuse: true },
      { what: "an unknown field", field: "nonsense", body: JSON.stringify({ ...whole, nonsense: 1 }), mustRefuse: false },
      ...method.input.fields.flatMap((field) => brokenFields(whole, field)),
    ];
    return bodies.map((body) => ({ method, ...body }));
  });
}

/** What is wrong with an answer to a bad request; null when it is a documented refusal, or a success that may be one. */
export function wrongWith(request: BadRequest, { status, text }: Answer): string | null {
  if (/node_modules|\bat \S+ \(|\.ts:\d+/.test(text)) return `shows a stack trace: ${text}`;
  if (status === 200 && !text.includes('"error"')) return request.mustRefuse ? "was accepted" : null;
  const error = errorIn(text);
  if (error === undefined) return `answered ${status} without an error of the contract: ${text.slice(0, 200)}`;
  const { code, reason, field } = error;
  if (reason === undefined || !isApiReason(reason)) return `answered ${code} without a documented reason: ${text.slice(0, 200)}`;
  if (reason === "INTERNAL" || reason === "DEPENDENCY_AWAY") return `answered ${reason}: ${text.slice(0, 200)}`;
  if (!request.mustRefuse) return null;
  if (code !== "invalid_argument" || reason !== "FIELD_INVALID") return `answered ${code} ${reason}, not invalid_argument FIELD_INVALID`;
  return request.field === "" || field?.startsWith(request.field) ? null : `names the field "${field}", not "${request.field}"`;
}

export type ContractError = { readonly code: string; readonly reason: string | undefined; readonly field: string | undefined };

/** The error of a unary answer, or of a stream's end. */
export function errorIn(text: string): ContractError | undefined {
  const json = /\{[\s\S]*\}/.exec(text)?.[0];
  if (json === undefined) return undefined;
  try {
    const body: { code?: string; details?: readonly Detail[]; error?: { code?: string; details?: readonly Detail[] } } = JSON.parse(json);
    const error = body.error ?? body;
    if (error.code === undefined) return undefined;
    const info = error.details?.find(({ type }) => type === "google.rpc.ErrorInfo")?.debug;
    return { code: error.code, reason: info?.reason, field: info?.metadata?.["field"] };
  } catch {
    return undefined;
  }
}

type Detail = { readonly type?: string; readonly debug?: { readonly reason?: string; readonly metadata?: Readonly<Record<string, string>> } };

function methodOf(method: DescMethod, role: PublicMethod["role"]): PublicMethod {
  return { name: `${method.parent.typeName}/${method.name}`, role, streams: method.methodKind === "server_streaming", input: method.input };
}

function brokenFields(whole: object, field: DescField) {
  const name = field.jsonName;
  const { [name as keyof typeof whole]: _, ...without } = whole;
  const missing = { what: "missing", field: field.name, body: JSON.stringify(without), mustRefuse: false };
  const values = [...wrongTypes(field).map((json) => ({ json, mustRefuse: true })), ...oddValues(field).map((json) => ({ json, mustRefuse: false }))];
  const broken = values.map(({ json, mustRefuse }) => ({
    what: json.length > 40 ? `${json.slice(0, 40)}… (${json.length})` : json,
    field: field.name,
    body: `${JSON.stringify(without).slice(0, -1)}${Object.keys(without).length === 0 ? "" : ","}${JSON.stringify(name)}:${json}}`,
    mustRefuse,
  }));
  return [missing, ...broken];
}

/** JSON texts that no reading of the field's type accepts. */
function wrongTypes(field: DescField): readonly string[] {
  switch (field.fieldKind) {
    case "list":
    case "map":
      return ['"text"', "5", "{}"].filter((json) => field.fieldKind === "list" || json !== "{}");
    case "message":
      return field.message.typeName.startsWith("google.protobuf.") ? ["[]", "true"] : ['"text"', "[]", "true"];
    case "enum":
      return ['"NOT_A_VALUE"', "9999", "{}", "[]"];
    case "scalar":
      return field.scalar === ScalarType.STRING ? ["5", "{}", "[]", "true", '"a\\u0000b"'] : ['"text"', "{}", "[]"];
  }
}

/** JSON texts of the right type that are far out. */
function oddValues(field: DescField): readonly string[] {
  if (field.fieldKind === "message") {
    return [
      "{}",
      "null",
      '{"latitude":"NaN","longitude":0}',
      '{"latitude":91,"longitude":0}',
      '{"latitude":0,"longitude":"Infinity"}',
      '{"latitude":1e308,"longitude":-1e308}',
    ].filter((json) => json.length < 5 || field.message.typeName.endsWith("LatLng"));
  }
  if (field.fieldKind !== "scalar") return ["null", "[]", "0"].slice(0, field.fieldKind === "list" ? 2 : 1);
  if (field.scalar === ScalarType.STRING) return ["null", '""', '"not-an-id"', `"${"x".repeat(20_000)}"`, '"\\ud83d\\ude97"', '"\' OR 1=1 --"'];
  return ["null", "-1", "0", "2147483648", "9223372036854775808", "1e400", '"NaN"', "true"];
}

/** A message with every field set to something plausible. */
function exampleOf(message: DescMessage, depth: number): object {
  if (depth > 4) return {};
  return Object.fromEntries(message.fields.map((field) => [field.jsonName, exampleValue(field, depth)]));
}

function exampleValue(field: DescField, depth: number): unknown {
  switch (field.fieldKind) {
    case "list":
      return field.listKind === "message" ? [exampleOf(field.message, depth + 1)] : field.listKind === "scalar" ? ["0199c0de-0000-7000-8000-000000000001"] : [];
    case "map":
      return {};
    case "message":
      if (field.message.typeName === "google.protobuf.Timestamp") return "2026-01-01T00:00:00Z";
      return field.message.typeName.endsWith("LatLng") ? { latitude: 40.7549, longitude: -73.984 } : exampleOf(field.message, depth + 1);
    case "enum":
      return 1;
    case "scalar":
      return exampleScalar(field.name, field.scalar);
  }
}

function exampleScalar(name: string, scalar: ScalarType): unknown {
  if (scalar === ScalarType.BOOL) return false;
  if (scalar !== ScalarType.STRING) return 1;
  if (name.endsWith("_id")) return name === "market_id" ? "nyc" : "0199c0de-0000-7000-8000-000000000001";
  // No region of this name: a request that is whole otherwise must not take a region over or drain it.
  return { pin: "1234", region: "zzz", plate: "RG 1", model: "rides", reason: "a test", cursor: "", page_token: "", rider_id: "", driver_id: "" }[name] ?? "";
}
