/** What a rider's calls cost through the whole mesh, in one process and in many, beside a bare handler of one statement on the same Postgres. */
import type { Figure, FigureOptions, LineProgram, Measurement } from "@ridegrid/testing";
import { startLoad, withCpu, withMesh } from "./bench-mesh.fixture.ts";
import { withDatabase } from "./database-names.ts";
import type { MeshFile } from "./mesh-file.ts";
import { ensureDatabases } from "./prepare-databases.ts";

export const figures: readonly Figure[] = [
  {
    name: "calls",
    doc: "GetRide, QuoteFare and RequestRide by JSON over HTTP/1.1 through gateway, services and Postgres, every layer on; the peer does one statement and nothing else",
    run: measureCalls,
  },
];

const bareDatabase = "ridegrid_bench_bare";
const bareRows = 300;
const perSecond = 50;
/** Calls at once where the cost is measured: few enough that nobody waits for a connection. */
const lanes = 8;
/** /proc counts in hundredths of a second: what costs little is called more often. */
const bareCallsFactor = 4;
const peerOf = { GetRide: "bare read", QuoteFare: "bare write", RequestRide: "bare write" } as const;
const methods = ["GetRide", "QuoteFare", "RequestRide"] as const;

type Plan = { readonly rateSeconds: number; readonly rounds: number; readonly callsPerRound: number };
type Load = { readonly load: LineProgram; readonly pids: () => Readonly<Record<string, number>> };

async function measureCalls({ quick, signal }: FigureOptions): Promise<readonly Measurement[]> {
  const plan: Plan = quick ? { rateSeconds: 2, rounds: 2, callsPerRound: 150 } : { rateSeconds: 4, rounds: 3, callsPerRound: 200 };
  const measured: Measurement[] = [];
  for (const [name, flags] of [
    ["one process", []],
    ["many processes", ["--processes"]],
  ] as const)
    measured.push(...(await withMesh(flags, signal, (file) => measureMesh(name, file, plan))));
  return measured;
}

async function measureMesh(name: string, file: MeshFile, plan: Plan): Promise<readonly Measurement[]> {
  await ensureDatabases(file.databaseUrl, [bareDatabase]);
  await using bare = startLoad("bare-server.ts", { databaseUrl: withDatabase(file.databaseUrl, bareDatabase) });
  const { port } = await bare.ask<{ readonly port: number }>({ listen: bareRows });
  await using load = startLoad("call-load.ts", { url: file.gateways["lhr"] ?? "", bare: `http://127.0.0.1:${port}` });
  const requests = perSecond * plan.rateSeconds + (plan.rounds + 1) * plan.callsPerRound;
  await load.ask({ prepare: requests });
  const measured: Measurement[] = [];
  for (const method of methods) {
    measured.push(...(await atRate(name, method, load, plan)));
    measured.push(...(await perCore(name, method, { load, pids: () => ({ ...file.pids, bare: bare.pid }) }, plan)));
  }
  return measured;
}

type Calls = { readonly millis: readonly number[]; readonly seconds: number };

async function atRate(
  name: string,
  method: (typeof methods)[number],
  load: LineProgram,
  { rateSeconds, callsPerRound }: Plan,
): Promise<readonly Measurement[]> {
  const peer = peerOf[method];
  // Warm first, both.
  for (const call of [method, peer]) await load.ask({ call, calls: callsPerRound, lanes });
  const offered = { calls: perSecond * rateSeconds, perSecond };
  const own = await load.ask<Calls>({ call: method, ...offered });
  const bare = await load.ask<Calls>({ call: peer, ...offered });
  return (["median", "p99"] as const).map((statistic) => ({
    what: `${method}, ${name}: ${statistic} at ${perSecond}/s`,
    unit: "ms",
    samples: own.millis,
    statistic,
    peer: { what: peer, samples: bare.millis },
  }));
}

/** Round by round, the platform and the bare server in turn: what else the machine does falls on both. */
async function perCore(name: string, method: (typeof methods)[number], { load, pids }: Load, { rounds, callsPerRound }: Plan): Promise<readonly Measurement[]> {
  const own = { calls: new Array<number>(), postgres: new Array<number>(), wall: new Array<number>() };
  const bare = { calls: new Array<number>(), postgres: new Array<number>(), wall: new Array<number>() };
  for (let round = 0; round < rounds; round++) {
    for (const [call, samples] of [
      [method, own],
      [peerOf[method], bare],
    ] as const) {
      const calls = samples === bare ? bareCallsFactor * callsPerRound : callsPerRound;
      const { answer, cpu } = await withCpu(pids, () => load.ask<Calls>({ call, calls, lanes }));
      const of = (wanted: (process: string) => boolean): number => [...cpu].reduce((sum, [process, seconds]) => (wanted(process) ? sum + seconds : sum), 0);
      samples.calls.push(
        calls /
          Math.max(
            0.01,
            of((process) => process !== "postgres" && (process === "bare") === (samples === bare)),
          ),
      );
      samples.postgres.push((of((process) => process === "postgres") * 1_000) / calls);
      samples.wall.push(calls / answer.seconds);
    }
  }
  const peer = peerOf[method];
  const what = `${method}, ${name}`;
  return [
    { what: `${what}: calls a CPU-second of our processes`, unit: "calls/s per core", samples: own.calls, peer: { what: peer, samples: bare.calls } },
    { what: `${what}: Postgres beside them`, unit: "CPU ms a call", samples: own.postgres, peer: { what: peer, samples: bare.postgres } },
    { what: `${what}: answered, ${lanes} at a time`, unit: "calls/s", samples: own.wall, peer: { what: peer, samples: bare.wall } },
  ];
}
