/** What a person sees when the mesh is ready: where it listens, what stands in for what, and what to try first. */
import type { MeshFile } from "./mesh-file.ts";

export type BannerFacts = {
  readonly file: MeshFile;
  readonly directory: string;
  readonly headline: string;
  /** How services reach each other here. */
  readonly processes: boolean;
  readonly city: string;
  readonly notes: readonly string[];
};

export function banner({ file, directory, headline, processes, city, notes }: BannerFacts): string {
  const first = Object.values(file.gateways)[0] ?? "";
  const gateways = Object.entries(file.gateways).map(
    ([region, url], index) => `  ${index === 0 ? "gateways " : "         "}  ${region}  ${url}   native gRPC ${file.grpc[region] ?? "?"}`,
  );
  const lines = [
    headline,
    ...gateways,
    `  database   ${file.databaseUrl}`,
    `  embedded   Postgres (real server, npm binaries; durable)${file.kafka === undefined ? " and the event log in it" : ""}; development token issuer; metrics in memory`,
    `             rate limits and read cache in memory, unless UPSTASH_REDIS_REST_URL is set; maps are straight lines × a detour factor`,
    ...(file.kafka === undefined ? [] : [`  event log  ${brokerLine(file.pids["kafka"])} at ${file.kafka}, regions told apart by topic prefix`]),
    `  services   ${processes ? "one process each, h2c between them, supervised" : "all in one process, in-memory calls between them"}`,
    `  city       ${city}`,
    `  data       ${directory}  (kept between starts; --reset clears it)`,
    ...notes.map((note) => `  note       ${note}`),
    `  try        curl -s ${first}/dev/token -H 'content-type: application/json' -d '{"role":"rider","subject":"r-1"}'`,
    `  stop       Ctrl-C`,
  ];
  return `\n${lines.join("\n")}\n\n`;
}

function brokerLine(ownPid: number | undefined): string {
  return ownPid === undefined ? "the Kafka brokers of KAFKA_BROKERS" : "a real Kafka broker (Apache Kafka, one node)";
}
