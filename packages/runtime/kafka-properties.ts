/**
 * The configuration of a broker on one machine: KRaft, sessions short enough that a killed broker takes its partitions
 * back within seconds of its restart, and as many listeners as its clients need to be told apart.
 */
import { join } from "node:path";

/** How a user may prove to be who it says, by SASL. */
export type BrokerUser = {
  readonly name: string;
  readonly password: string;
  readonly mechanisms: readonly ("PLAIN" | ScramMechanism)[];
};

type ScramMechanism = "SCRAM-SHA-256" | "SCRAM-SHA-512";

/** Where clients are let in, and how. */
export type BrokerListener = {
  /** Upper case letters. */
  readonly name: string;
  readonly port: number;
  /** The port that clients are told to use, where it is not `port`: a proxy's. */
  readonly advertisedPort?: number;
  /** The one user who may come in. Anybody when left out. */
  readonly user?: BrokerUser;
  /** Its key and certificate as PKCS12. Without TLS when left out. */
  readonly keystore?: { readonly file: string; readonly password: string };
};

export type BrokerNode = {
  readonly dataDirectory: string;
  readonly port: number;
  readonly controllerPort: number;
  readonly advertisedPort?: number;
  /** Beside the first, which is open to anybody on this machine. */
  readonly listeners?: readonly BrokerListener[];
  /** Joins the cluster of the node in `directory`, which controls on `controllerPort`; a cluster of its own when left out. */
  readonly joins?: { readonly directory: string; readonly asNode: number };
};

const controllingNode = 1;

export function brokerProperties(node: BrokerNode): string {
  const { dataDirectory, port, controllerPort, advertisedPort, joins } = node;
  const listeners: readonly BrokerListener[] = [
    { name: "PLAINTEXT", port, ...(advertisedPort === undefined ? {} : { advertisedPort }) },
    ...(node.listeners ?? []),
  ];
  const bound = listeners.map((listener) => `${listener.name}://127.0.0.1:${listener.port}`);
  const advertised = listeners.map((listener) => `${listener.name}://127.0.0.1:${listener.advertisedPort ?? listener.port}`);
  const protocols = listeners.map((listener) => `${listener.name}:${protocolOf(listener)}`);
  const controls = joins === undefined;
  return `process.roles=${controls ? "broker,controller" : "broker"}
node.id=${joins?.asNode ?? controllingNode}
controller.quorum.voters=${controllingNode}@127.0.0.1:${controllerPort}
listeners=${[...bound, ...(controls ? [`CONTROLLER://127.0.0.1:${controllerPort}`] : [])].join(",")}
advertised.listeners=${advertised.join(",")}
controller.listener.names=CONTROLLER
listener.security.protocol.map=${["CONTROLLER:PLAINTEXT", ...protocols].join(",")}
inter.broker.listener.name=PLAINTEXT
${listeners.map(securityOf).join("")}log.dirs=${join(dataDirectory, "log")}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
num.partitions=1
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
log.segment.bytes=67108864
num.recovery.threads.per.data.dir=2
`;
}

/** What formatting must be told beside the properties: a broker keeps SCRAM's secrets in its own log. */
export function scramArguments({ listeners = [] }: BrokerNode): readonly string[] {
  return listeners.flatMap(({ user }) =>
    (user?.mechanisms ?? [])
      .filter((mechanism) => mechanism !== "PLAIN")
      .map((mechanism) => `--add-scram=${mechanism}=[name=${user?.name},password=${user?.password}]`),
  );
}

function protocolOf({ user, keystore }: BrokerListener): string {
  const base = keystore === undefined ? "PLAINTEXT" : "SSL";
  return user === undefined ? base : `SASL_${base}`;
}

function securityOf({ name, user, keystore }: BrokerListener): string {
  const prefix = `listener.name.${name.toLowerCase()}`;
  const tls =
    keystore === undefined
      ? ""
      : `${prefix}.ssl.keystore.type=PKCS12\n${prefix}.ssl.keystore.location=${keystore.file}\n${prefix}.ssl.keystore.password=${keystore.password}\n`;
  if (user === undefined) return tls;
  const logins = user.mechanisms.map((mechanism) => `${prefix}.${mechanism.toLowerCase()}.sasl.jaas.config=${loginOf(user, mechanism)}\n`);
  return `${tls}${prefix}.sasl.enabled.mechanisms=${user.mechanisms.join(",")}\n${logins.join("")}`;
}

function loginOf({ name, password }: BrokerUser, mechanism: BrokerUser["mechanisms"][number]): string {
  const modules = "org.apache.kafka.common.security";
  if (mechanism === "PLAIN") return `${modules}.plain.PlainLoginModule required user_${name}="${password}";`;
  return `${modules}.scram.ScramLoginModule required;`;
}
