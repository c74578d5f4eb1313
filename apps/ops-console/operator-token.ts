/** A token to operate with: the one given, or, from a development gateway, one of its own issuer. */
export async function operatorToken(url: string, given: string | undefined): Promise<string> {
  if (given !== undefined) return given;
  const response = await fetch(new URL("/dev/token", url), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ role: "operator", subject: "ops-console" }),
    signal: AbortSignal.timeout(5_000),
  });
  if (!response.ok) throw new Error(`The gateway at ${url} hands out no development tokens (${response.status}): pass --token or set RIDEGRID_TOKEN`);
  const body: unknown = await response.json();
  if (typeof body === "object" && body !== null && "token" in body && typeof body.token === "string") return body.token;
  throw new Error(`The gateway at ${url} answered /dev/token without a token`);
}
