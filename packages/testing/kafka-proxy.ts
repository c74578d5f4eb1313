/**
 * A TCP proxy in front of a Kafka broker that can lose the answers to appends (the broker stores, the client never
 * hears) and can be shut to everybody. The broker must advertise the proxy's port.
 */
import { connect, createServer, type Socket } from "node:net";

export type KafkaProxy = {
  readonly port: number;
  /** Loses the answers to the next `count` produce requests, each by closing its connection after the request has gone through. */
  loseProduceAnswers(count: number): void;
  /** Answers that are still to be lost. */
  waiting(): number;
  /** Answers lost so far: the evidence that the fault bit. */
  lost(): number;
  /** Ends every connection and lets none in. */
  shut(): void;
  reopen(): void;
  close(): Promise<void>;
};

const produceApiKey = 0;
/** Long enough for one broker on loopback to store a small batch. */
const storeMs = 150;

export async function startKafkaProxy(options: { readonly port: number; readonly brokerPort: number }): Promise<KafkaProxy> {
  let toLose = 0;
  let lost = 0;
  let isShut = false;
  const open = new Set<Socket>();
  const server = createServer((client) => {
    if (isShut) return void client.on("error", () => {}).destroy();
    const broker = connect({ host: "127.0.0.1", port: options.brokerPort });
    for (const socket of [client, broker]) {
      open.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        open.delete(socket);
        client.destroy();
        broker.destroy();
      });
    }
    let muted = false;
    client.on("data", (data: Buffer) => {
      if (!muted && toLose > 0 && isProduce(data)) {
        toLose--;
        lost++;
        muted = true;
        setTimeout(() => client.destroy(), storeMs);
      }
      broker.write(data);
    });
    broker.on("data", (data) => {
      if (!muted) client.write(data);
    });
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(options.port, "127.0.0.1", resolve));
  return {
    port: options.port,
    loseProduceAnswers: (count) => void (toLose += count),
    waiting: () => toLose,
    lost: () => lost,
    shut() {
      isShut = true;
      for (const socket of open) socket.destroy();
    },
    reopen: () => void (isShut = false),
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A request is a 4-byte length, then its API key; a client that has one request in flight sends each in one piece. */
function isProduce(data: Buffer): boolean {
  return data.length > 8 && data.readInt16BE(4) === produceApiKey;
}
