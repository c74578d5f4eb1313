/**
 * A process as a container of the built image is: its entry point, nothing but its environment, and a user without
 * rights. It has no namespace of its own, so each needs an address of its own on the loopback.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "@ridegrid/testing";
import type { BuiltImage } from "./dockerfile.fixture.ts";

/** Whom the base image has. */
const users: Readonly<Record<string, number>> = { bun: 1000 };

export interface Container {
  readonly pid: number;
  readonly ended: Promise<number | null>;
  output(): string;
  /** The user that it runs as, by the kernel's word. */
  uid(): number;
  /** Waits until the check's command says that all is well. */
  healthy(check: readonly string[], timeoutMs: number): Promise<void>;
  signal(name: NodeJS.Signals): void;
}

export type ContainerOptions = { readonly name: string; readonly command: readonly string[]; readonly environment: Readonly<Record<string, string>> };

export function runContainer(image: BuiltImage, { name, command, environment }: ContainerOptions): Container {
  const env = { ...image.environment, ...environment, PATH: `${join(image.root, "usr/local/bin")}:/usr/bin:/bin` };
  const options = { cwd: join(image.root, image.workdir), env };
  const [program, ...args] = asUser(image.user, [...image.entrypoint, ...command]);
  const child = spawn(program ?? "", args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  const { output, ended } = watch(child);
  const { pid = 0 } = child;
  let over = false;
  void ended.then(() => (over = true));
  return {
    pid,
    ended,
    output,
    uid: () => Number(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]),
    async healthy(check, timeoutMs) {
      const [checker, ...rest] = asUser(image.user, check);
      const isHealthy = async (): Promise<boolean> => over || (await exitCode(spawn(checker ?? "", rest, { ...options, stdio: "ignore" }))) === 0;
      await eventually(isHealthy, { timeoutMs, pollMs: 1_500, what: `"${name}" to be healthy` }).catch((cause: unknown) => {
        throw new Error(`"${name}" did not get healthy:\n${output()}`, { cause });
      });
      if (over) throw new Error(`"${name}" ended before it was healthy:\n${output()}`);
    },
    signal: (signal) => void child.kill(signal),
  };
}

/** Only root may become another; whoever runs this without being root has no more rights than the image's user. */
function asUser(user: string, command: readonly string[]): readonly string[] {
  if (process.getuid?.() !== 0) return command;
  const id = users[user];
  if (id === undefined) throw new Error(`The image's user is "${user}", who has rights or is not known here`);
  return ["setpriv", `--reuid=${id}`, `--regid=${id}`, "--clear-groups", "--no-new-privs", "--bounding-set=-all", ...command];
}

function exitCode(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code));
  });
}

function watch(child: ChildProcess): { readonly output: () => string; readonly ended: Promise<number | null> } {
  let output = "";
  child.stdout?.on("data", (chunk: Buffer) => (output += String(chunk)));
  child.stderr?.on("data", (chunk: Buffer) => (output += String(chunk)));
  return {
    output: () => output,
    ended: new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => resolve(code));
    }),
  };
}
