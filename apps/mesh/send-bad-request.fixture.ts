/** Sends bodies as they are, as Connect JSON unless told otherwise; a new caller every so often, so that no rate limit hides a refusal. */
import type { Answer, BadRequest, PublicMethod } from "./bad-requests.fixture.ts";
import { tokenOf } from "./ride-by-hand.fixture.ts";

export interface BadSender {
  send(request: BadRequest, contentType?: string): Promise<Answer>;
}

/** Costly methods of operators may be called a few times in a row only. */
const callsPerCaller = 3;
const streamReadMs = 400;
const endOfStream = 0x02;

export async function createBadSender(url: string): Promise<BadSender> {
  const callers = new Map<PublicMethod["role"], { token: string; calls: number }>();
  let named = 0;
  async function tokenFor(role: PublicMethod["role"]): Promise<string> {
    const known = callers.get(role);
    if (known !== undefined && known.calls++ < callsPerCaller) return known.token;
    const token = await tokenOf(url, role, `${role}-${named++}`);
    callers.set(role, { token, calls: 1 });
    return token;
  }
  return {
    async send({ method, body }, contentType = "application/json") {
      const authorization = `Bearer ${await tokenFor(method.role)}`;
      return method.streams
        ? await sendToStream(`${url}/${method.name}`, body, authorization)
        : await sendUnary(`${url}/${method.name}`, body, { authorization, "content-type": contentType });
    },
  };
}

async function sendUnary(url: string, body: string, headers: Readonly<Record<string, string>>): Promise<Answer> {
  const response = await fetch(url, {
    method: "POST",
    body,
    headers,
    signal: AbortSignal.timeout(30_000),
  });
  return { status: response.status, text: await response.text() };
}

/** The first message of the stream, or its end; a stream that stays quiet was accepted. */
async function sendToStream(url: string, body: string, authorization: string): Promise<Answer> {
  const payload = new TextEncoder().encode(body);
  const envelope = new Uint8Array(5 + payload.length);
  new DataView(envelope.buffer).setUint32(1, payload.length);
  envelope.set(payload, 5);
  const leave = new AbortController();
  const headers = { authorization, "content-type": "application/connect+json" };
  const response = await fetch(url, { method: "POST", body: envelope, headers, signal: leave.signal });
  if (response.status !== 200 || response.body === null) return { status: response.status, text: await response.text() };
  const timer = setTimeout(() => leave.abort(), streamReadMs);
  try {
    const { value } = await response.body.getReader().read();
    if (value === undefined) return { status: 200, text: "" };
    const text = new TextDecoder().decode(value.subarray(5));
    return { status: 200, text: ((value[0] ?? 0) & endOfStream) === 0 ? "" : text };
  } catch {
    return { status: 200, text: "" };
  } finally {
    clearTimeout(timer);
    leave.abort();
  }
}
