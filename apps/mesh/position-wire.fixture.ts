/** Positions and their acknowledgements as bytes, by hand: what a client in a measurement may not spend its time on. */
export type SentPosition = { readonly sequence: number; readonly latitude: number; readonly longitude: number; readonly observedAtMs: number };

/** An envelope of `StreamPositionsRequest`, as native gRPC and Connect streams frame it. */
export function positionEnvelope({ sequence, latitude, longitude, observedAtMs }: SentPosition): Buffer {
  const bytes = Buffer.allocUnsafe(96);
  let at = putVarint(bytes, bytes.writeUInt8(0x08, 5), sequence);
  // location { latitude, longitude }
  at = bytes.writeUInt8(0x12, at);
  at = bytes.writeUInt8(18, at);
  at = bytes.writeDoubleLE(latitude, bytes.writeUInt8(0x09, at));
  at = bytes.writeDoubleLE(longitude, bytes.writeUInt8(0x11, at));
  at = bytes.writeFloatLE(90, bytes.writeUInt8(0x1d, at));
  at = bytes.writeFloatLE(8.5, bytes.writeUInt8(0x25, at));
  at = bytes.writeFloatLE(6, bytes.writeUInt8(0x2d, at));
  // observe_time { seconds, nanos }, its length known afterwards
  at = bytes.writeUInt8(0x32, at);
  const time = at + 1;
  const seconds = Math.floor(observedAtMs / 1_000);
  let end = putVarint(bytes, bytes.writeUInt8(0x08, time), seconds);
  end = putVarint(bytes, bytes.writeUInt8(0x10, end), Math.floor(observedAtMs - seconds * 1_000) * 1_000_000);
  bytes.writeUInt8(end - time, at);
  bytes.writeUInt8(0, 0);
  bytes.writeUInt32BE(end - 5, 1);
  return bytes.subarray(0, end);
}

/** `isEnd`: Connect's last envelope, which holds the error if there is one. */
export type Acknowledgement = { readonly sequence: number; readonly rejected: number; readonly isEnd: boolean; readonly text: string };

/** Whole envelopes at the front of `bytes`, and what is left of it. An echoed position counts as its acknowledgement. */
export function readAcknowledgements(bytes: Buffer, echoed: boolean): { readonly acks: readonly Acknowledgement[]; readonly rest: Buffer } {
  const acks: Acknowledgement[] = [];
  let at = 0;
  while (bytes.length - at >= 5) {
    const end = at + 5 + bytes.readUInt32BE(at + 1);
    if (end > bytes.length) break;
    const isEnd = (bytes.readUInt8(at) & 2) === 2;
    acks.push(isEnd ? { sequence: 0, rejected: 0, isEnd, text: bytes.toString("utf8", at + 5, end) } : acknowledgement(bytes, at + 5, end, echoed));
    at = end;
  }
  return { acks, rest: bytes.subarray(at) };
}

function acknowledgement(bytes: Buffer, from: number, end: number, echoed: boolean): Acknowledgement {
  let sequence = 0;
  let rejected = 0;
  for (let at = from; at < end;) {
    const tag = bytes.readUInt8(at);
    const [value, next] = varintAt(bytes, at + 1);
    if (tag === 0x08) sequence = value;
    if (tag === 0x12) rejected++;
    // What an echoed position says beyond its sequence is nothing to an acknowledgement.
    if (echoed) break;
    at = tag === 0x12 ? next + value : next;
  }
  return { sequence, rejected: echoed ? 0 : rejected, isEnd: false, text: "" };
}

function putVarint(bytes: Buffer, at: number, value: number): number {
  let next = at;
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) next = bytes.writeUInt8((rest % 128) | 128, next);
  return bytes.writeUInt8(rest, next);
}

function varintAt(bytes: Buffer, from: number): readonly [number, number] {
  let value = 0;
  let at = from;
  for (let scale = 1; ; scale *= 128) {
    const byte = bytes.readUInt8(at++);
    value += (byte & 127) * scale;
    if (byte < 128) return [value, at];
  }
}
