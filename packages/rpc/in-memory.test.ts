/** The in-memory transport keeps the promises of a transport. */
import { createInMemoryTransport } from "./in-memory.ts";
import { transportConformance } from "./transport.conformance.ts";

transportConformance("createInMemoryTransport()", async (routes, onFault) => ({
  transport: createInMemoryTransport(routes, { onFault }),
  close: async () => {},
}));
