/**
 * What producers and readers of the Kafka adapter share: how their clients are set up, asking a partition's leader, and
 * the names of errors.
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

/**
 * Asks again, as often as the limits say and whoever leads by then, when the failure may pass; while a leader is only
 * becoming one, of a topic just made or after an election, for as long as they say.
 */
export async function askLeader<T>(client: Base, place: Place, ask: (leader: Connection) => Promise<T>): Promise<T> {
  const electedByMs = performance.now() + kafkaLimits.electionMs;
  for (let attempt = 0; ; attempt++) {
    try {
      return await ask(await leaderOf(client, place, attempt > 0));
    } catch (error) {
      if (error instanceof Error && findErrorBy(error, "canRetry", false) !== null) throw error;
      const isElecting = apiErrors(error).has("NOT_LEADER_OR_FOLLOWER") && performance.now() < electedByMs;
      if (attempt >= kafkaLimits.retries && !isElecting) throw error;
      await delay(kafkaLimits.retryDelayMs);
    }
  }
}

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
