/** A region lost and taken over, with its event logs on a real broker. */
import { kafkaLogs } from "./event-logs.fixture.ts";
import { takeOverCase } from "./take-over-case.fixture.ts";

takeOverCase(kafkaLogs);
