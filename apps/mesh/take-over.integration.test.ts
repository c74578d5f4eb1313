/** A region lost and taken over, with embedded event logs; on a real broker it is `take-over.soak.ts`. */
import { embeddedLogs } from "./event-logs.fixture.ts";
import { takeOverCase } from "./take-over-case.fixture.ts";

takeOverCase(embeddedLogs);
