/** Connect JSON by `fetch` on kept connections, as cheap as a client can be: what it costs is not what is measured. */
export type Json = Readonly<Record<string, unknown>>;
export type Role = "rider" | "driver";
export type Person = { readonly subject: string; readonly token: string };

/** A call that was answered with an error; `reason` is the error's, or its status. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly reason: string;
  constructor(method: string, reason: string) {
    super(`${method} was refused: ${reason}`);
    this.reason = reason;
  }
}

const callTimeoutMs = 15_000;

/** `method` is such as "rider.v1.RiderService/GetRide". @throws Refused */
export async function callJson(url: string, token: string, method: string, body: Json): Promise<Json> {
  const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
  return await postJson(`${url}/ridegrid.${method}`, headers, body);
}

export async function newPerson(url: string, role: Role, subject: string): Promise<Person> {
  const { token } = await postJson(`${url}/dev/token`, { "content-type": "application/json" }, { role, subject });
  return { subject, token: String(token) };
}

export async function postJson(url: string, headers: Readonly<Record<string, string>>, body: Json): Promise<Json> {
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body), signal: AbortSignal.timeout(callTimeoutMs) });
  const text = await response.text();
  if (!response.ok) throw new Refused(url.slice(url.lastIndexOf("/") + 1), /"reason":"(\w+)"/.exec(text)?.[1] ?? String(response.status));
  return JSON.parse(text) as Json;
}

/** Strewn around a city's middle: `index` picks the place, the same in every run. */
export function placeAround(center: { readonly latitude: number; readonly longitude: number }, index: number): { latitude: number; longitude: number } {
  const angle = index * 2.399_963;
  const reach = 0.03 * Math.sqrt((index % 997) / 997);
  return { latitude: center.latitude + reach * Math.cos(angle), longitude: center.longitude + reach * Math.sin(angle) };
}
