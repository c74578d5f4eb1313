/** Apache Kafka's own jars from Maven Central, fetched once into a cache, and each time checked against a digest of all. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { kafkaJarsFetchTimeoutMs } from "./limits.ts";

const kafkaVersion = "4.1.0";
/** Of this version and all that it depends on; `digestOf` says how it is made. */
const jarsSha256 = "c35e55bf04c431ff79b6c38fc206cca8f1c205041e14e948f35b92ae2525937c";

/** The directory of the jars, fetched by Maven when the cache has none or others than these. @throws when Maven brings others. */
export async function kafkaJars(): Promise<string> {
  const cache = process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache");
  const directory = join(cache, "ridegrid", `kafka-${kafkaVersion}`);
  if (digestOf(directory) === jarsSha256) return directory;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(join(cache, "ridegrid"), { recursive: true });
  const work = mkdtempSync(join(cache, "ridegrid", "fetch-"));
  try {
    writeFileSync(join(work, "pom.xml"), pom);
    const target = join(work, "jars");
    await runToEnd(
      "mvn",
      ["-q", "-B", "-f", join(work, "pom.xml"), "dependency:copy-dependencies", `-DoutputDirectory=${target}`, "-DincludeScope=runtime"],
      kafkaJarsFetchTimeoutMs,
    );
    const fetched = digestOf(target);
    if (fetched !== jarsSha256)
      throw new Error(`Cannot use the jars of Kafka ${kafkaVersion} that Maven fetched: their digest is ${fetched}, not ${jarsSha256}`);
    try {
      renameSync(target, directory);
    } catch (cause) {
      // Another process was first; its jars are as good.
      if (digestOf(directory) !== jarsSha256) throw new Error(`Cannot put the Kafka jars into ${directory}`, { cause });
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return directory;
}

/** What `LC_ALL=C sha256sum *.jar | sha256sum` says in the directory. */
function digestOf(directory: string): string {
  const all = createHash("sha256");
  const names = existsSync(directory) ? readdirSync(directory).filter((name) => name.endsWith(".jar")) : [];
  for (const name of names.toSorted((left, right) => (left < right ? -1 : 1)))
    all.update(
      `${createHash("sha256")
        .update(readFileSync(join(directory, name)))
        .digest("hex")}  ${name}\n`,
    );
  return all.digest("hex");
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
