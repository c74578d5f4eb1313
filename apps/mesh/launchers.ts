/**
 * Notices that whoever started this program is gone.
 *
 * A SIGTERM to `npx` kills npx and reaches nobody else, so signals alone would leave a mesh behind. Watched are the
 * launchers above us (bun, npx, npm and the shells between them), not the person's own shell: a mesh put into the
 * background must outlive the script that did so.
 */
import { readFileSync } from "node:fs";
import { parentOf } from "./process-identity.ts";

type Link = { readonly pid: number; readonly parent: number };

const chainMax = 16;

/** The links from `pid` up to its outermost launcher. Empty when it was started by hand. */
export function launcherChain(pid: number): readonly Link[] {
  const links: Link[] = [];
  for (let at = pid; links.length < chainMax;) {
    const parent = parentOf(at);
    if (parent === undefined || parent <= 1) break;
    const command = commandOf(parent);
    // npx runs `sh -c …`; any other shell is the person's own, and so is what lies above it.
    if (!isLauncher(command) && !(isShell(command) && isNpm(commandOf(parentOf(parent) ?? 0)))) break;
    links.push({ pid: at, parent });
    at = parent;
  }
  return links;
}

/** True while every process of the chain still has the parent it started under. */
export function isChainWhole(chain: readonly Link[]): boolean {
  return chain.every(({ pid, parent }) => parentOf(pid) === parent);
}

function commandOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8")
      .split("\0")
      .filter((part) => part !== "");
  } catch {
    return [];
  }
}

function isLauncher(command: readonly string[]): boolean {
  const [program = "", script = ""] = command;
  return isNpm(command) || isBun(program) || (/(^|\/)node$/.test(program) && isBun(script));
}

function isBun(path: string): boolean {
  return /(^|\/)bunx?(\.exe)?$/.test(path);
}

/** npm renames its process to "npm exec …"; before that it is node running npx-cli.js. */
function isNpm([program = "", script = ""]: readonly string[]): boolean {
  return /^(\S*\/)?np[mx](\s|$)/.test(program) || (/(^|\/)node$/.test(program) && /(^|\/)np[mx](-cli\.js)?$/.test(script));
}

/** `sh -c …` between npx and bun; an interactive shell has no `-c`. */
function isShell(command: readonly string[]): boolean {
  return /(^|\/)(ba|da|z)?sh$/.test(command[0] ?? "") && command[1] === "-c";
}
