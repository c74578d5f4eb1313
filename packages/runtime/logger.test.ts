/** Log lines for people and for collectors. */
import { expect, test } from "bun:test";
import { createLogger, type LoggerOptions } from "./logger.ts";

function linesOf(format: LoggerOptions["format"], write: (logger: ReturnType<typeof createLogger>) => void): string {
  let text = "";
  write(createLogger({ format, level: "info", write: (line) => (text += line) }));
  return text;
}

test("createLogger() writes `[app] message` and its fields for people", () => {
  const text = linesOf("readable", (logger) => {
    logger.child({ app: "gateway.ewr" }).info({ port: 8001 }, "listening");
    logger.warn("no app yet");
    logger.debug("below the level");
  });
  expect(text).toBe("[gateway.ewr] listening port=8001\n[ridegrid] warn no app yet\n");
});

test("createLogger() shows an error's stack under the line, however it was passed", () => {
  const text = linesOf("readable", (logger) => {
    logger.error(new Error("first"), "failed");
    logger.error({ error: new Error("second") }, "failed again");
  });
  expect(text).toMatch(/^\[ridegrid\] error failed\nError: first\n[\s\S]*\[ridegrid\] error failed again\nError: second\n/);
});

test("createLogger() writes one JSON object a line for collectors", () => {
  const line = linesOf("json", (logger) => logger.child({ app: "gateway.ewr" }).info({ port: 8001 }, "listening"));
  expect(JSON.parse(line)).toMatchObject({ app: "gateway.ewr", port: 8001, msg: "listening" });
});
