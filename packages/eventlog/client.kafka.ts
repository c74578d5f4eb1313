/**
 * What producers and readers of the Kafka adapter share: how their clients are set up, asking again, and the names of
 * errors.
 */
import { type Base, type Connection, findErrorBy, type SASLOptions } from "@platformatic/kafka";
import { setTimeout as delay } from "node:timers/promises";
import type { ConnectionOptions } from "node:tls";
import { kafkaLimits } from "./limits.kafka.ts";

export type BrokerAccess = {
  /** "host:port", one or more. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly tls?: ConnectionOptions;
  readonly sasl?: SASLOptions;
};

export type Place = { readonly topic: string; readonly partition: number };

export function clientOptions({ brokers, clientId, tls, sasl }: BrokerAccess) {
  return {
    clientId,
    bootstrapBrokers: [...brokers],
    retries: kafkaLimits.retries,
    retryDelay: kafkaLimits.retryDelayMs,
    timeout: kafkaLimits.requestTimeoutMs,
    requestTimeout: kafkaLimits.requestTimeoutMs,
    connectTimeout: kafkaLimits.connectTimeoutMs,
    autocreateTopics: false,
    ...(tls === undefined ? {} : { tls }),
    ...(sasl === undefined ? {} : { sasl }),
  };
}

/** Asks whoever leads, and again as `askAgain` does whoever leads by then. */
export function askLeader<T>(client: Base, place: Place, ask: (leader: Connection) => Promise<T>): Promise<T> {
  return askAgain(async (attempt) => ask(await leaderOf(client, place, attempt > 0)), kafkaLimits.retries);
}

/**
 * Asks so many times more when the failure may pass; and while a broker is only becoming what it is asked as, of a
 * topic just made, after an election or after its start, for as long as the limits say.
 */
export async function askAgain<T>(ask: (attempt: number) => Promise<T>, retries: number): Promise<T> {
  const readyByMs = performance.now() + kafkaLimits.electionMs;
  for (let attempt = 0; ; attempt++) {
    try {
      return await ask(attempt);
    } catch (error) {
      const names = apiErrors(error);
      const isBecoming = performance.now() < readyByMs && becoming.some((name) => names.has(name));
      if (!isBecoming && error instanceof Error && findErrorBy(error, "canRetry", false) !== null) throw error;
      if (attempt >= retries && !isBecoming) throw error;
      await delay(kafkaLimits.retryDelayMs);
    }
  }
}

const becoming = ["NOT_LEADER_OR_FOLLOWER", "COORDINATOR_LOAD_IN_PROGRESS", "COORDINATOR_NOT_AVAILABLE"];

async function leaderOf(client: Base, { topic, partition }: Place, forceUpdate: boolean): Promise<Connection> {
  const metadata = await client.metadata({ topics: [topic], forceUpdate });
  const leader = metadata.topics.get(topic)?.partitions[partition]?.leader ?? -1;
  const connection = leader < 0 ? undefined : (await client.connectToBrokers([leader])).get(leader);
  if (connection === undefined) throw new Error(`${topic}/${partition} has no leader`);
  return connection;
}

/** The Kafka error names anywhere in an error: the client wraps them in aggregates and causes. */
export function apiErrors(error: unknown, found: Set<string> = new Set()): Set<string> {
  if (typeof error !== "object" || error === null) return found;
  if ("apiId" in error && typeof error.apiId === "string") found.add(error.apiId);
  else if ("code" in error && typeof error.code === "string") found.add(error.code);
  if ("errors" in error && Array.isArray(error.errors)) for (const inner of error.errors) apiErrors(inner, found);
  if ("cause" in error) apiErrors(error.cause, found);
  return found;
}
