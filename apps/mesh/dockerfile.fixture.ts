/**
 * `deploy/Dockerfile`, read and carried out without Docker: each stage is a folder, COPY copies, RUN runs in it. What it
 * does not know it refuses. The base image is only the `bun` that runs this test, at the place where the image has it.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { repositoryRoot } from "./repository.fixture.ts";

export type Instruction = { readonly name: string; readonly flags: readonly string[]; readonly text: string };
export type Stage = { readonly image: string; readonly name: string; readonly instructions: readonly Instruction[] };

export type BuiltImage = {
  /** The folder that would be `/`. */
  readonly root: string;
  readonly workdir: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly user: string;
  readonly entrypoint: readonly string[];
  readonly healthcheck: readonly string[];
};

function parseDockerfile(text: string): readonly Stage[] {
  const stages: { image: string; name: string; instructions: Instruction[] }[] = [];
  const lines = text.replaceAll(/^\s*#.*\n/gm, "").replaceAll(/\\\n/g, " ");
  for (const line of lines.split("\n").filter((one) => one.trim() !== "")) {
    const [, name = "", rest = ""] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (name === "FROM") {
      const [, image = "", stage = String(stages.length)] = /^(\S+)(?:\s+AS\s+(\S+))?$/.exec(rest) ?? [];
      stages.push({ image, name: stage, instructions: [] });
      continue;
    }
    const flags = /^(?:--\S+\s+)*/.exec(rest)?.[0] ?? "";
    const stage = stages.at(-1);
    if (name === "" || stage === undefined) throw new Error(`Cannot read the Dockerfile's line "${line}"`);
    stage.instructions.push({ name, flags: flags.split(/\s+/).filter((flag) => flag !== ""), text: rest.slice(flags.length).trim() });
  }
  return stages;
}

/** Builds every stage below `folder` from the files in `context`; answers the last. */
export function buildImage(stages: readonly Stage[], { context, folder }: { readonly context: string; readonly folder: string }): BuiltImage {
  const built = new Map<string, BuiltImage>();
  for (const stage of stages) built.set(stage.name, buildStage(stage, { context, root: join(folder, stage.name), built }));
  const last = built.get(stages.at(-1)?.name ?? "");
  if (last === undefined) throw new Error("The Dockerfile has no stage");
  return last;
}

type StageOptions = { readonly context: string; readonly root: string; readonly built: ReadonlyMap<string, BuiltImage> };

function buildStage({ instructions }: Stage, { context, root, built }: StageOptions): BuiltImage {
  let image: BuiltImage = { root, workdir: "/", environment: {}, user: "root", entrypoint: [], healthcheck: [] };
  bringBaseImage(root);
  for (const { name, flags, text } of instructions) {
    switch (name) {
      case "WORKDIR":
        image = { ...image, workdir: text };
        mkdirSync(join(root, text), { recursive: true });
        break;
      case "COPY":
        copy(text, { from: sourceOf(flags, context, built), image });
        break;
      case "RUN":
        run(text, image);
        break;
      case "ENV":
        image = { ...image, environment: { ...image.environment, ...pairsIn(text) } };
        break;
      case "USER":
        image = { ...image, user: text };
        break;
      case "ENTRYPOINT":
        image = { ...image, entrypoint: execForm(text) };
        break;
      case "HEALTHCHECK":
        image = { ...image, healthcheck: execForm(text.replace(/^CMD\s+/, "")) };
        break;
      case "EXPOSE":
      case "STOPSIGNAL":
        break;
      default:
        throw new Error(`Cannot carry out the Dockerfile's instruction ${name}`);
    }
  }
  return image;
}

function bringBaseImage(root: string): void {
  const bun = join(root, "usr/local/bin/bun");
  mkdirSync(dirname(bun), { recursive: true });
  copyFileSync(process.execPath, bun);
  chmodSync(bun, 0o755);
}

type Source = { readonly root: string; readonly linked: boolean };

function sourceOf(flags: readonly string[], context: string, built: StageOptions["built"]): Source {
  const [flag, ...more] = flags;
  if (flag === undefined) return { root: context, linked: false };
  const from = built.get(/^--from=(.+)$/.exec(flag)?.[1] ?? "");
  if (from === undefined || more.length > 0) throw new Error(`Cannot carry out COPY ${flags.join(" ")}`);
  return { root: from.root, linked: true };
}

function copy(text: string, { from, image }: { readonly from: Source; readonly image: BuiltImage }): void {
  const [source, target, ...more] = text.split(/\s+/);
  if (source === undefined || target === undefined || more.length > 0) throw new Error(`Cannot carry out "COPY ${text}": it needs one source and one target`);
  const to = join(image.root, resolve(image.workdir, target));
  // What a folder holds is copied, not the folder. Links between stages: thousands of files copied take seconds. A file
  // that is there already is replaced, never written into: it may be one that Bun's cache has, too.
  const how = from.linked ? "-al" : "-a";
  const { status, stderr } = spawnSync("cp", [how, "--remove-destination", `${join(from.root, source)}/.`, to]);
  if (status !== 0) throw new Error(`"COPY ${text}" ended with ${status}:\n${String(stderr)}`);
}

function run(command: string, image: BuiltImage): void {
  // A path from the top would be this machine's, not the image's.
  if (/(^|[\s='"])\//.test(command)) throw new Error(`Cannot carry out "RUN ${command}" without Docker: it names an absolute path`);
  const { status, stdout, stderr } = spawnSync("/bin/sh", ["-c", command], {
    cwd: join(image.root, image.workdir),
    env: { ...process.env, ...image.environment, PATH: `${join(image.root, "usr/local/bin")}:/usr/bin:/bin` },
  });
  if (status !== 0) throw new Error(`"RUN ${command}" ended with ${status}:\n${String(stdout)}${String(stderr)}`);
}

/** Only the exec form: a shell between would keep signals from the program. */
function execForm(text: string): readonly string[] {
  const words: unknown = JSON.parse(text);
  if (!Array.isArray(words) || words.length === 0) throw new Error(`Cannot read the exec form "${text}"`);
  return words.map(String);
}

function pairsIn(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    text.split(/\s+/).map((pair) => {
      const [, name, value] = /^(\w+)=(\S+)$/.exec(pair) ?? [];
      if (name === undefined || value === undefined) throw new Error(`Cannot read "ENV ${pair}": it needs NAME=VALUE`);
      return [name, value];
    }),
  );
}

/** What the image sets before anybody else does. */
export function imageEnvironment(): Readonly<Record<string, string>> {
  const instructions = readDockerfile().at(-1)?.instructions ?? [];
  return Object.assign({}, ...instructions.flatMap(({ name, text }) => (name === "ENV" ? [pairsIn(text)] : []))) as Record<string, string>;
}

export function readDockerfile(): readonly Stage[] {
  return parseDockerfile(readFileSync(join(repositoryRoot, "deploy/Dockerfile"), "utf8"));
}

/** Copies what Git tracks, or would, and `.dockerignore` lets through: the context that Docker would be sent. */
export function writeBuildContext(folder: string): readonly string[] {
  const listed = spawnSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: repositoryRoot });
  if (listed.status !== 0) throw new Error(`Cannot list the repository's files: ${String(listed.stderr)}`);
  const isIgnored = ignoreRule(readFileSync(join(repositoryRoot, ".dockerignore"), "utf8"));
  const paths = [...new Set(String(listed.stdout).split("\0"))].filter((path) => path !== "" && !isIgnored(path));
  for (const path of paths) {
    const target = join(folder, path);
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(join(repositoryRoot, path), target);
  }
  return paths;
}

/** A pattern hides what it matches and everything below; exceptions (`!`) are not used here, and refused. */
function ignoreRule(text: string): (path: string) => boolean {
  const patterns = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  if (patterns.some((pattern) => pattern.startsWith("!"))) throw new Error("Cannot read .dockerignore: exceptions are not understood here");
  const globs = patterns.flatMap((pattern) => [new Bun.Glob(pattern), new Bun.Glob(`${pattern}/**`)]);
  return (path) => globs.some((glob) => glob.match(path));
}
