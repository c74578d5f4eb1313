/** A process that takes two leases and keeps them until it is killed: `<url> <consumer>`. Says `gained` once it has both. */
import { writeSync } from "node:fs";
import { createTestContext } from "@ridegrid/testing";
import postgres from "postgres";
import { createLeaseKeeper } from "../lease.ts";

const [url = "", consumer = ""] = process.argv.slice(2);
const keeper = createLeaseKeeper({
  context: createTestContext(),
  sql: postgres(url, { max: 1, onnotice: () => {} }),
  consumer,
  wanted: ["ewr", "lhr"].map((homeRegion) => ({ homeRegion, partition: 0 })),
  onGained: () => {},
  onLost: async () => {},
});
process.stdin.on("end", () => process.exit(0)).resume();
await keeper.start();
if (keeper.held().length === 2) writeSync(1, "gained\n");
