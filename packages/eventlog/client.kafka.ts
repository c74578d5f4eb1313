/** What producers and readers of the Kafka adapter share: how their clients are set up, deadlines, and the names of errors. */
import type { SASLOptions } from "@platformatic/kafka";
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

export async function withDeadline<T>(work: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`The ${what} did not finish within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    work.catch(() => {});
  }
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
