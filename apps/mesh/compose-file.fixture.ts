/** `compose.yaml` as Docker would run it where no variable is set: read, merged, interpolated, and no more than we use. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "./repository.fixture.ts";

export type ComposeService = {
  readonly image: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly restart: string;
  readonly stop_signal?: string;
  readonly stop_grace_period?: string;
  readonly healthcheck: { readonly test: readonly string[] } | { readonly disable: true };
  readonly depends_on?: Readonly<Record<string, { readonly condition: "service_healthy" | "service_completed_successfully" }>>;
};

export type ComposeFile = { readonly services: Readonly<Record<string, ComposeService>>; readonly volumes: Readonly<Record<string, unknown>> };

export const composePath = join(repositoryRoot, "compose.yaml");
export const ownImage = "ridegrid:0.1.0";

export function readComposeFile(): ComposeFile {
  return interpolated(Bun.YAML.parse(readFileSync(composePath, "utf8"))) as ComposeFile;
}

/** Of compose's interpolation only `${NAME:-default}` is used. */
function interpolated(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(interpolated);
  if (typeof value === "object" && value !== null) return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, interpolated(inner)]));
  if (typeof value !== "string") return value;
  const text = value.replaceAll(/\$\{[A-Z_]+:-([^}]*)\}/g, (_, otherwise: string) => otherwise);
  if (text.includes("$")) throw new Error(`Cannot read compose.yaml: "${value}" interpolates in a way that is not understood here`);
  return text;
}

/** The services that run our image, by name, in the order of the file. */
export function ownServices(file: ComposeFile): readonly (readonly [string, ComposeService])[] {
  return Object.entries(file.services).filter(([, { image }]) => image === ownImage);
}

/** Services one after the other, each behind what it waits for. */
export function startOrder(file: ComposeFile): readonly string[] {
  const order: string[] = [];
  const visit = (name: string, above: readonly string[]): void => {
    if (above.includes(name)) throw new Error(`Services wait for each other: ${[...above, name].join(" → ")}`);
    if (order.includes(name)) return;
    for (const needed of Object.keys(file.services[name]?.depends_on ?? {})) visit(needed, [...above, name]);
    order.push(name);
  };
  for (const name of Object.keys(file.services)) visit(name, []);
  return order;
}
