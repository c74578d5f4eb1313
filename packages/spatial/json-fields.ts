/** Typed reads of untrusted JSON objects. Every failure is a `RegionsFileInvalid` that names the field's path. */

export class RegionsFileInvalid extends Error {
  override readonly name = "RegionsFileInvalid";
}

export type Fields = { readonly path: string; readonly values: Readonly<Record<string, unknown>> };

export function invalid(path: string, value: unknown, why: string): RegionsFileInvalid {
  const shown = value === undefined ? "nothing" : (JSON.stringify(value) ?? String(value));
  const field = path === "" ? "the top level" : path;
  return new RegionsFileInvalid(`Cannot read the regions file: ${field} is ${shown.length > 80 ? `${shown.slice(0, 77)}...` : shown}; ${why}`);
}

/** A field that is not among `names` is an error: most likely it is one of them, misspelled. */
export function fieldsOf(json: unknown, path: string, names: readonly string[]): Fields {
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw invalid(path, json, "it must be an object");
  const values: Record<string, unknown> = Object.fromEntries(Object.entries(json));
  const unknown = Object.keys(values).find((name) => !names.includes(name));
  if (unknown !== undefined) throw invalid(join(path, unknown), values[unknown], `there is no such field; there are ${names.join(", ")}`);
  return { path, values };
}

export function listAt(fields: Fields, name: string, size: { readonly min: number; readonly max: number }): readonly unknown[] {
  const value = fields.values[name];
  const path = join(fields.path, name);
  if (!Array.isArray(value)) throw invalid(path, value, "it must be a list");
  if (value.length < size.min || value.length > size.max)
    throw invalid(path, value, `it must have ${size.min} to ${size.max} entries, and has ${value.length}`);
  return value;
}

export function textAt(fields: Fields, name: string, rule: { readonly pattern: RegExp; readonly is: string }): string {
  const value = fields.values[name];
  if (typeof value !== "string" || !rule.pattern.test(value)) throw invalid(join(fields.path, name), value, `it must be ${rule.is}`);
  return value;
}

export function numberAt(fields: Fields, name: string, range: { readonly min: number; readonly max: number; readonly whole?: boolean }): number {
  const value = fields.values[name];
  const whole = range.whole === true;
  const good = typeof value === "number" && value >= range.min && value <= range.max && (!whole || Number.isInteger(value));
  if (!good) throw invalid(join(fields.path, name), value, `it must be a ${whole ? "whole " : ""}number from ${range.min} to ${range.max}`);
  return value;
}

function join(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}
