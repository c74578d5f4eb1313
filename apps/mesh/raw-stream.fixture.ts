/**
 * One HTTP/2 connection to a server, by hand and for measuring only: opens streams, sends envelopes within the peer's
 * windows, hands back what comes. A client library would take more of the machine than the server that is measured.
 */
export type RawConnectionOptions = {
  readonly port: number;
  /** Whole envelopes of one stream, or the beginning of one. */
  readonly onData: (stream: number, bytes: Buffer) => void;
  /** The server ended the stream, or the connection went away. */
  readonly onEnd: (stream: number, why: string) => void;
};

export interface RawConnection {
  open(headers: readonly (readonly [string, string])[]): number;
  /** Kept back while the peer's windows are shut. */
  send(stream: number, envelope: Buffer): void;
  /** Bytes kept back of all streams. */
  readonly heldBytes: number;
  /** What comes is left in the socket from now on. */
  stopReading(): void;
  close(): void;
}

const type = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goAway: 7, windowUpdate: 8 } as const;
const initialWindow = 65_535;
const headerBytes = 9;
const replenishAtBytes = 16_384;

type State = { buffered: Buffer; window: number; peerInitial: number; unread: number; held: number };
type Stream = { window: number; held: Buffer[]; unread: number };

export async function openRawConnection({ port, onData, onEnd }: RawConnectionOptions): Promise<RawConnection> {
  const state: State = { buffered: Buffer.alloc(0), window: initialWindow, peerInitial: initialWindow, unread: 0, held: 0 };
  const streams = new Map<number, Stream>();
  let nextStream = 1;

  function flush(id: number, stream: Stream): void {
    for (let first = stream.held[0]; first !== undefined && first.length <= Math.min(state.window, stream.window); first = stream.held[0]) {
      stream.held.shift();
      state.held -= first.length;
      state.window -= first.length;
      stream.window -= first.length;
      socket.write(frame(type.data, 0, id, first));
    }
  }

  function take(kind: number, flags: number, id: number, payload: Buffer): void {
    const stream = streams.get(id);
    switch (kind) {
      case type.data:
        replenish(state, 0, payload.length);
        if (stream !== undefined) replenish(stream, id, payload.length);
        if (payload.length > 0) onData(id, payload);
        break;
      case type.settings:
        if ((flags & 1) === 0) socket.write(frame(type.settings, 1, 0, Buffer.alloc(0)));
        for (let at = 0; at + 6 <= payload.length; at += 6) if (payload.readUInt16BE(at) === 4) resize(payload.readUInt32BE(at + 2));
        break;
      case type.ping:
        if ((flags & 1) === 0) socket.write(frame(type.ping, 1, 0, payload));
        break;
      case type.windowUpdate:
        if (id === 0) state.window += payload.readUInt32BE(0);
        else if (stream !== undefined) stream.window += payload.readUInt32BE(0);
        streams.forEach((each, other) => flush(other, each));
        break;
      case type.reset:
        return end(id, `reset with code ${payload.readUInt32BE(0)}`);
      case type.goAway:
        return streams.forEach((_, other) => end(other, "the connection goes away"));
      default:
        break;
    }
    if ((kind === type.data || kind === type.headers) && (flags & 1) === 1) end(id, `ended with ${payload.toString("latin1")}`);
  }

  function resize(bytes: number): void {
    for (const stream of streams.values()) stream.window += bytes - state.peerInitial;
    state.peerInitial = bytes;
  }

  function replenish(of: { unread: number }, id: number, bytes: number): void {
    of.unread += bytes;
    if (of.unread < replenishAtBytes) return;
    const increment = Buffer.alloc(4);
    increment.writeUInt32BE(of.unread);
    of.unread = 0;
    socket.write(frame(type.windowUpdate, 0, id, increment));
  }

  function end(id: number, why: string): void {
    if (streams.delete(id)) onEnd(id, why);
  }

  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data: (_, chunk) => readFrames(state, chunk, take),
      close: () => streams.forEach((_, id) => end(id, "the connection was closed")),
      error: () => {},
    },
  });
  socket.write(Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(type.settings, 0, 0, Buffer.alloc(0))]));
  return {
    open(headers) {
      const id = nextStream;
      nextStream += 2;
      streams.set(id, { window: state.peerInitial, held: [], unread: 0 });
      socket.write(frame(type.headers, 4, id, Buffer.concat(headers.map(([name, value]) => literal(name, value)))));
      return id;
    },
    send(id, envelope) {
      const stream = streams.get(id);
      if (stream === undefined) return;
      stream.held.push(envelope);
      state.held += envelope.length;
      flush(id, stream);
    },
    get heldBytes() {
      return state.held;
    },
    stopReading: () => socket.pause(),
    close: () => socket.end(),
  };
}

function readFrames(state: State, chunk: Buffer, take: (kind: number, flags: number, id: number, payload: Buffer) => void): void {
  const bytes = state.buffered.length === 0 ? chunk : Buffer.concat([state.buffered, chunk]);
  let at = 0;
  while (bytes.length - at >= headerBytes) {
    const end = at + headerBytes + bytes.readUIntBE(at, 3);
    if (end > bytes.length) break;
    take(bytes.readUInt8(at + 3), bytes.readUInt8(at + 4), bytes.readUInt32BE(at + 5) & 0x7fffffff, bytes.subarray(at + headerBytes, end));
    at = end;
  }
  state.buffered = Buffer.from(bytes.subarray(at));
}

function frame(kind: number, flags: number, stream: number, payload: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(headerBytes + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes.writeUInt8(kind, 3);
  bytes.writeUInt8(flags, 4);
  bytes.writeUInt32BE(stream, 5);
  payload.copy(bytes, headerBytes);
  return bytes;
}

/** HPACK's plainest form: a literal that is not indexed and not compressed. */
function literal(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0]), sized(name), sized(value)]);
}

function sized(text: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const length = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) length.push((rest % 128) | 128);
  return Buffer.concat([Buffer.from([...length, rest]), bytes]);
}
