/** Runs on Node: carries a ride's whole life over native gRPC with grpc-js, and prints what became of it as JSON. Arguments: gRPC address, tokens by subject. */
import { fromBinary, fromJson, type JsonValue, toBinary, toJson } from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { DriverService, RiderService } from "@ridegrid/contracts";
import { type CallAs, wholeLife } from "./whole-life.fixture.ts";

const [address = "", tokensJson = "{}", name = ""] = process.argv.slice(2);
const tokens = JSON.parse(tokensJson) as Readonly<Record<string, string>>;
const client = new Client(address, credentials.createInsecure());

const call: CallAs = (role, subject, methodName, body) => {
  const service = role === "rider" ? RiderService : DriverService;
  const method = service.methods.find((one) => one.name === methodName);
  if (method === undefined) throw new Error(`${service.typeName} has no method ${methodName}`);
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${tokens[subject] ?? ""}`);
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      `/${service.typeName}/${methodName}`,
      (json: JsonValue) => Buffer.from(toBinary(method.input, fromJson(method.input, json))),
      (bytes: Buffer) => toJson(method.output, fromBinary(method.output, bytes)),
      body as JsonValue,
      metadata,
      { deadline: Date.now() + 20_000 },
      (error, answer) => (error === null ? resolve(answer as Readonly<Record<string, unknown>>) : reject(error)),
    );
  });
};

process.stdout.write(JSON.stringify(await wholeLife(call, name)));
client.close();
