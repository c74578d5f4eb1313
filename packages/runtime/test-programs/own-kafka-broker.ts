/** Starts a broker, prints its pid, and waits to be killed. `own-kafka-broker.ts DIRECTORY PORT CONTROLLER_PORT` */
import { startKafkaBroker } from "../kafka-broker.ts";

const [dataDirectory = "", port, controllerPort] = process.argv.slice(2);
const broker = await startKafkaBroker({ dataDirectory, port: Number(port), controllerPort: Number(controllerPort), heapMegabytes: 256 });
process.stdout.write(`${broker.pid}\n`);
setInterval(() => {}, 60_000);
