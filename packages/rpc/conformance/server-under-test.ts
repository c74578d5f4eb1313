/**
 * The edge as the official conformance suite starts it: a request on standard input says which protocol, the answer on
 * standard output says where it listens. SIGTERM ends it.
 *
 * Connect and gRPC-Web come through the gateway's mount on Bun.serve, native gRPC through its handler on node:http2.
 */
import { create, createRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Hono } from "hono";
import { admission } from "../admission.ts";
import { unaryDeadline } from "../deadline.ts";
import { endStreams } from "../drain.ts";
import type { EdgeOptions } from "../edge-options.ts";
import { fieldValidation } from "../field-validation.ts";
import { mountConnect } from "../hono-mount.ts";
import { listenHttp2 } from "../http2-listener.ts";
import type { Routes } from "../in-memory.ts";
import { edgeBodyBytesMax, edgeCallTimeoutMs } from "../limits.ts";
import { nativeGrpcHandler } from "../native-grpc.ts";
import { conformanceService } from "./conformance-service.ts";
import { Protocol } from "./gen/connectrpc/conformance/v1/config_pb.ts";
import { ServerCompatRequestSchema, ServerCompatResponseSchema } from "./gen/connectrpc/conformance/v1/server_compat_pb.ts";
import { ConformanceService, file_connectrpc_conformance_v1_service } from "./gen/connectrpc/conformance/v1/service_pb.ts";

const host = "127.0.0.1";
const routes: Routes = (router) => router.service(ConformanceService, conformanceService);
const onFault = ({ method, error }: { readonly method: string; readonly error: unknown }): void => {
  process.stderr.write(`${method}: ${String(error)}\n`);
};

const asked = fromBinary(ServerCompatRequestSchema, await readFramed());
const port = await (asked.protocol === Protocol.GRPC ? listenNative : listenPublic)(optionsWith(asked.messageReceiveLimit));
const answer = toBinary(ServerCompatResponseSchema, create(ServerCompatResponseSchema, { host, port }));
const length = Buffer.alloc(4);
length.writeUInt32BE(answer.byteLength);
await Bun.write(Bun.stdout, Buffer.concat([length, answer]));
process.on("SIGTERM", () => process.exit(0));

/** The edge's layers, but for those that answer in RideGrid's own words: the suite asks for its errors back. */
function optionsWith(messageBytesMax: number): EdgeOptions {
  return {
    layers: [admission, unaryDeadline(edgeCallTimeoutMs), endStreams(new AbortController().signal), fieldValidation],
    readMaxBytes: messageBytesMax === 0 ? edgeBodyBytesMax : messageBytesMax,
    jsonOptions: { registry: createRegistry(file_connectrpc_conformance_v1_service) },
  };
}

async function listenPublic(options: EdgeOptions): Promise<number> {
  const app = new Hono();
  const fetch = mountConnect(app, routes, options, { onFault, peerAddress: () => "" });
  return Bun.serve({ hostname: host, port: 0, http2: true, idleTimeout: 0, fetch }).port ?? 0;
}

async function listenNative(options: EdgeOptions): Promise<number> {
  return (await listenHttp2({ host, port: 0, handler: nativeGrpcHandler(routes, options, onFault) })).port;
}

/** One message: its length in four bytes, then itself. */
async function readFramed(): Promise<Uint8Array> {
  let read = Buffer.alloc(0);
  for await (const chunk of Bun.stdin.stream()) {
    read = Buffer.concat([read, chunk]);
    if (read.byteLength >= 4 && read.byteLength >= 4 + read.readUInt32BE()) return read.subarray(4, 4 + read.readUInt32BE());
  }
  throw new Error(`Cannot read what to serve: standard input ended after ${read.byteLength} bytes`);
}
