/** A key with a certificate that only its owner vouches for, made by Java's keytool: what a test broker shows its clients. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type SelfSigned = {
  /** PKCS12, for a server in Java. */
  readonly keystore: { readonly file: string; readonly password: string };
  /** PEM, for clients who are to believe it. */
  readonly certificate: string;
  remove(): void;
};

const password = "of-a-test";

export async function createSelfSigned(): Promise<SelfSigned> {
  const directory = mkdtempSync(join(tmpdir(), "ridegrid-certificate-"));
  const file = join(directory, "keystore.p12");
  const names = ["-dname", "CN=localhost", "-ext", "san=ip:127.0.0.1,dns:localhost"];
  await keytool("-genkeypair", "-alias", "broker", "-keyalg", "EC", "-groupname", "secp256r1", "-validity", "2", "-storetype", "PKCS12", ...names, ...of(file));
  const certificate = await keytool("-exportcert", "-rfc", "-alias", "broker", ...of(file));
  return { keystore: { file, password }, certificate, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

const of = (file: string): readonly string[] => ["-keystore", file, "-storepass", password];

async function keytool(...args: readonly string[]): Promise<string> {
  const child = Bun.spawn(["keytool", ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const [output, complaint, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  if (code !== 0) throw new Error(`"keytool ${args[0]}" failed with ${code}: ${output}${complaint}`);
  return output;
}
