/**
 * Every bound of the log, the outbox, the relay, leases and consumers, with the relations between them.
 *
 * Callers may tighten the ones their factory takes (tests shorten leases); nobody may leave one out.
 */
const hourMs = 3_600_000;

/** Bounds of one append, equal for every adapter: a broker's default maximum batch is 1 MiB and is never split. */
export const appendLimits = {
  recordBytesMax: 524_288,
  batchBytesMax: 1_000_000,
  batchRecordsMax: 5_000,
} as const;

export const embeddedLogLimits = {
  /** An append, read or look at bounds that has no answer by then rejects; the outcome of an append is unknown. */
  statementMs: 4_500,
  /** Poll of partition ends while somebody waits and records came lately. */
  pollActiveMs: 25,
  /** What the poll backs off to while nothing comes: ten cheap statements a second. */
  pollIdleMs: 100,
  pollGrowth: 1.15,
  retentionEveryMs: 30_000,
  retentionBatchesPerStatement: 1_000,
  readBatchesMax: 256,
} as const;

export const outboxLimits = {
  /** Leaves room for the key, the headers and the id that the relay adds. */
  payloadBytesMax: 491_520,
  rowsPerStatementMax: 5_000,
  partitionMs: 6 * hourMs,
  partitionsAhead: 6,
  keepMs: 24 * hourMs,
  maintainEveryMs: 600_000,
  lockTimeoutMs: 1_000,
  depthEveryMs: 2_000,
} as const;

/** Above either bound writers refuse new rides; nothing is dropped to make room. */
export type OutboxBounds = { readonly backlogRowsMax: number; readonly backlogBytesMax: number };

export const outboxBounds: OutboxBounds = { backlogRowsMax: 2_000_000, backlogBytesMax: 8_589_934_592 };

export type RelayLimits = {
  readonly leaseMs: number;
  readonly renewMs: number;
  /** Of rows, and of their payloads in base64: a page ends with the read in which it reaches either. */
  readonly pageRows: number;
  readonly pageBytes: number;
  /** How often the cursor is written between batches: what it is behind is sent again after a crash. */
  readonly moveEveryMs: number;
  readonly idlePollMs: number;
  readonly idlePollMaxMs: number;
  readonly retryMs: number;
  readonly retryMaxMs: number;
  readonly statementMs: number;
  readonly appendMs: number;
};

export const relayLimits: RelayLimits = {
  leaseMs: 2_000,
  renewMs: 500,
  /** A page is one append for each partition. With pages of 1,000 the broker took twice as much of the processor a row. */
  pageRows: 4_000,
  pageBytes: 4_194_304,
  moveEveryMs: 250,
  idlePollMs: 20,
  idlePollMaxMs: 100,
  retryMs: 50,
  retryMaxMs: 1_000,
  statementMs: 4_500,
  appendMs: 10_000,
};

/** A page is read in packs of rows, of which the database makes one row each; so many pages at once wait for the log. */
export const relayReads = { packsPerPage: 16, packsPerRead: 4, pagesInFlight: 2 } as const;

export type LeaseLimits = { readonly leaseMs: number; readonly renewMs: number; readonly statementMs: number };

/** A crash is taken over within `leaseMs + renewMs`, a clean stop within `renewMs`. */
export const leaseLimits: LeaseLimits = { leaseMs: 2_000, renewMs: 500, statementMs: 1_500 };

export type ConsumerLimits = {
  readonly batchRecordsMax: number;
  readonly batchBytesMax: number;
  readonly waitMs: number;
  readonly retryMs: number;
  readonly retryMaxMs: number;
  /** How often the lag of a partition that is behind is measured. */
  readonly lagEveryMs: number;
};

export const consumerLimits: ConsumerLimits = {
  batchRecordsMax: 500,
  batchBytesMax: 4_194_304,
  waitMs: 5_000,
  retryMs: 50,
  retryMaxMs: 2_000,
  lagEveryMs: 1_000,
};

/** An open transaction whose owner sleeps is ended by the server after this long, so that it cannot hold off a takeover. */
export const checkpointIdleMs = 2_000;
export const deadLetterPageMax = 500;

assertBelow("recordBytesMax", appendLimits.recordBytesMax, "batchBytesMax", appendLimits.batchBytesMax);
assertBelow("payloadBytesMax", outboxLimits.payloadBytesMax, "recordBytesMax", appendLimits.recordBytesMax);
assertBelow("pollActiveMs", embeddedLogLimits.pollActiveMs, "pollIdleMs", embeddedLogLimits.pollIdleMs);
assertLease("relay", relayLimits);
assertLease("lease", leaseLimits);

/** Three renewals fit into a lease, or one slow statement loses it. */
export function assertLease(name: string, limits: { readonly leaseMs: number; readonly renewMs: number }): void {
  assertBelow(`${name} renewMs × 3`, limits.renewMs * 3, `${name} leaseMs`, limits.leaseMs);
}

function assertBelow(lowName: string, low: number, highName: string, high: number): void {
  if (low >= high) throw new Error(`Limits contradict each other: ${lowName} (${low}) must be below ${highName} (${high})`);
}

/** Links that one span of a batch carries. */
export const messageLinksMax = 64;
/** Seconds: from an append in memory to one that waits for a broker that comes back. */
export const messageDurationBuckets: readonly number[] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 10];
