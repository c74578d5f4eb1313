/**
 * What the edge costs: a plain unary call with every layer on, answered in process, beside the library's own handler and
 * beside raw Hono twice: once with the answer's bytes at hand, once with messages decoded and encoded by protobuf-es.
 */
import { fileURLToPath } from "node:url";
import { type Figure, type LineProgram, type Measurement, startProgram } from "@ridegrid/testing";
import type { EdgeServer } from "./edge-servers.fixture.ts";
import type { EdgeRound, ServeEdgeOptions } from "./test-programs/serve-edge.ts";

const rounds = 16;

export const figures: readonly Figure[] = [
  {
    name: "edge",
    doc: "GetRide at the public port, every layer on, answered in process; calls per CPU-second of the server, its sockets included; a ratio is the median of the turns'",
    run: measureEdge,
  },
];

type Form = Omit<ServeEdgeOptions, "server">;

const forms: readonly Form[] = (["http/1.1", "h2c"] as const).flatMap((protocol) => [
  { protocol, contentType: "application/json" },
  { protocol, contentType: "application/proto" },
]);

async function measureEdge(): Promise<readonly Measurement[]> {
  const goal = { atLeast: 0.6 };
  const measured: Measurement[] = [];
  const fromLibrary: Measurement[] = [];
  for (const form of forms) {
    const name = `${form.contentType.slice("application/".length)}, ${form.protocol}`;
    const { edge, hono, honoMessages, library } = await samplesInTurn(form);
    measured.push({ ...beside(`edge: ${name}`, edge, { what: "raw Hono", samples: hono }), goal });
    measured.push({ ...beside(`edge: ${name}`, edge, { what: "raw Hono, its messages by protobuf-es", samples: honoMessages }), goal });
    fromLibrary.push(beside(`library's handler: ${name}`, library, { what: "raw Hono", samples: hono }));
  }
  return [...measured, ...fromLibrary];
}

function beside(what: string, samples: readonly number[], peer: { readonly what: string; readonly samples: readonly number[] }): Measurement {
  return { what, unit: "calls per CPU-second", samples, peer: { ...peer, inPairs: true } };
}

type Samples = Readonly<Record<"edge" | "hono" | "honoMessages" | "library", readonly number[]>>;

/** Round by round, each server after the other: what else the machine does falls on all. */
async function samplesInTurn(form: Form): Promise<Samples> {
  await using programs = new AsyncDisposableStack();
  const start = (server: EdgeServer): Measured => ({ program: programs.use(startProgram(serveEdgeProgram, { ...form, server })), samples: [] });
  const edge = start("edge");
  const hono = start("Hono");
  const honoMessages = start("Hono with messages");
  const library = start("library");
  const all = [edge, hono, honoMessages, library];
  // The first of each is answered once it is warm.
  await Promise.all(all.map(callsPerCpuSecond));
  for (let round = 0; round < rounds; round++) for (const each of all) each.samples.push(await callsPerCpuSecond(each));
  return { edge: edge.samples, hono: hono.samples, honoMessages: honoMessages.samples, library: library.samples };
}

type Measured = { readonly program: LineProgram; readonly samples: number[] };

async function callsPerCpuSecond({ program }: Measured): Promise<number> {
  const { calls, serverCpuSeconds } = await program.ask<EdgeRound>({});
  return calls / serverCpuSeconds;
}

const serveEdgeProgram = fileURLToPath(new URL("./test-programs/serve-edge.ts", import.meta.url));
