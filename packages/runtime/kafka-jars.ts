/**
 * Apache Kafka's own jars from Maven Central, fetched once into a cache and checked against a manifest of their hashes.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

const kafkaVersion = "4.1.0";
const fetchMs = 300_000;

/** The directory of the jars, fetched by Maven when the cache has none or its manifest does not match. */
export async function kafkaJars(): Promise<string> {
  const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  const directory = join(cache, "ridegrid", `kafka-${kafkaVersion}`);
  if (intact(directory)) return directory;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(join(cache, "ridegrid"), { recursive: true });
  const work = mkdtempSync(join(cache, "ridegrid", "fetch-"));
  try {
    writeFileSync(join(work, "pom.xml"), pom);
    const target = join(work, "jars");
    await runToEnd(
      "mvn",
      ["-q", "-B", "-f", join(work, "pom.xml"), "dependency:copy-dependencies", `-DoutputDirectory=${target}`, "-DincludeScope=runtime"],
      fetchMs,
    );
    writeFileSync(join(target, "manifest.json"), JSON.stringify(manifestOf(target)));
    try {
      renameSync(target, directory);
    } catch (cause) {
      // Another process was first; its jars are as good.
      if (!intact(directory)) throw new Error(`Cannot put the Kafka jars into ${directory}`, { cause });
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return directory;
}

type Manifest = Readonly<Record<string, { readonly bytes: number; readonly sha256: string }>>;

function manifestOf(directory: string): Manifest {
  const entries = [...new Bun.Glob("*.jar").scanSync(directory)].sort().map((name) => {
    const bytes = readFileSync(join(directory, name));
    return [name, { bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") }] as const;
  });
  if (entries.length === 0) throw new Error(`Maven put no jars into ${directory}`);
  return Object.fromEntries(entries);
}

function intact(directory: string): boolean {
  const path = join(directory, "manifest.json");
  if (!existsSync(path)) return false;
  const manifest: Manifest = JSON.parse(readFileSync(path, "utf8"));
  return Object.entries(manifest).every(([name, { bytes, sha256 }]) => {
    const jar = join(directory, name);
    return existsSync(jar) && statSync(jar).size === bytes && createHash("sha256").update(readFileSync(jar)).digest("hex") === sha256;
  });
}

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>dev.ridegrid</groupId><artifactId>kafka-broker</artifactId><version>1</version><packaging>pom</packaging>
<dependencies><dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${kafkaVersion}</version></dependency></dependencies></project>
`;

/** @throws with the last of its output when it ends with another code than 0; it is killed after `timeoutMs`. */
export async function runToEnd(command: string, args: readonly string[], timeoutMs: number): Promise<void> {
  const child = spawn(command, args, { cwd: tmpdir(), stdio: ["ignore", "pipe", "pipe"] });
  const output: string[] = [];
  child.stdout.on("data", (data: Buffer) => output.push(data.toString()));
  child.stderr.on("data", (data: Buffer) => output.push(data.toString()));
  const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  clearTimeout(timer);
  if (code !== 0) throw new Error(`"${command} ${args.join(" ")}" failed with ${code}: ${output.join("").slice(-1_500)}`);
}
