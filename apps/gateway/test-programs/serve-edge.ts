/**
 * One server of the edge's figure and its load: in a process of its own, for the engine compiles what servers share, such as
 * headers and promises, for all that it has seen.
 *
 * Options: `ServeEdgeOptions`. Command: any, for a round of calls, answered with `EdgeRound`.
 */
import { answerCommands, createTestContext, startHttpLoad } from "@ridegrid/testing";
import { type EdgeServer, getRidePath, questions, serve } from "../edge-servers.fixture.ts";
import { createDevelopmentIssuer } from "../identity.development.ts";

export type ServeEdgeOptions = { readonly server: EdgeServer; readonly contentType: keyof typeof questions; readonly protocol: "http/1.1" | "h2c" };
export type EdgeRound = { readonly calls: number; readonly serverCpuSeconds: number };

/**
 * Until the engine has compiled what a call runs: after 6,000 calls the edge took 101 µs of user time a call, after 26,000 between 40 and 58.
 * What h2c runs besides is the server's own.
 */
const warmUpCalls = { "http/1.1": 30_000, h2c: 10_000 } as const;

const { server, contentType, protocol }: ServeEdgeOptions = JSON.parse(process.argv[2] ?? "{}");
const context = createTestContext();
const issuer = await createDevelopmentIssuer({ clock: context.clock });
const token = await issuer.issue({ role: "rider", subject: "r-1" });
const load = await startHttpLoad({
  port: serve(server, context, issuer).port,
  protocol,
  path: getRidePath,
  headers: { authorization: `Bearer ${token}`, "content-type": contentType, "connect-protocol-version": "1", accept: "*/*" },
  bodyBase64: Buffer.from(questions[contentType]).toString("base64"),
  connections: 32,
  warmUpCalls: warmUpCalls[protocol],
  callsPerRound: 4_000,
});

await answerCommands((): Promise<EdgeRound> => load.round());
