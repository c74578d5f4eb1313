/** A process that appends to partition 0 of an embedded log: `<url> <topic> <name> <appends>`, three records each. */
import postgres from "postgres";
import { createEmbeddedEventLog } from "../event-log.embedded.ts";

const [url = "", topic = "", name = "", appends = "0"] = process.argv.slice(2);
const sql = postgres(url, { max: 2, onnotice: () => {} });
const log = createEmbeddedEventLog({ sql, clock: { nowMs: () => Date.now() } });
for (let index = 0; index < Number(appends) * 3; index += 3) {
  const records = [0, 1, 2].map((offset) => ({ key: `${name}:${index + offset}`, value: new Uint8Array([index & 255]), headers: {} }));
  await log.append(topic, 0, records);
}
await log.close();
await sql.end();
