/** The standard gRPC server reflection service, in both versions that clients ask for: what `grpcurl list` reads. */
import { type DescFile, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter } from "@connectrpc/connect";
import { ErrorInfoSchema } from "@ridegrid/contracts/gen/google/rpc/error_details_pb";
import { ServerReflection } from "@ridegrid/contracts/gen/grpc/reflection/v1/reflection_pb";
import { ServerReflection as ServerReflectionAlpha } from "@ridegrid/contracts/gen/grpc/reflection/v1alpha/reflection_pb";

/** `files` hold the services to show; their imports, and the details of errors, are found by themselves. */
export function registerReflection(router: ConnectRouter, files: readonly DescFile[]): void {
  const index = indexFiles([...files, ErrorInfoSchema.file]);
  const answer = (request: Question) => answerOf(index, request);
  router.service(ServerReflection, {
    async *serverReflectionInfo(requests) {
      for await (const originalRequest of requests)
        yield { validHost: originalRequest.host, originalRequest, messageResponse: answer(originalRequest.messageRequest) };
    },
  });
  router.service(ServerReflectionAlpha, {
    async *serverReflectionInfo(requests) {
      for await (const originalRequest of requests)
        yield { validHost: originalRequest.host, originalRequest, messageResponse: answer(originalRequest.messageRequest) };
    },
  });
}

/** What the two versions have in common. */
type Question = { readonly case?: string | undefined; readonly value?: unknown };
type Index = { readonly services: readonly string[]; readonly byName: ReadonlyMap<string, DescFile>; readonly bySymbol: ReadonlyMap<string, DescFile> };

function indexFiles(roots: readonly DescFile[]): Index {
  const byName = new Map<string, DescFile>();
  const bySymbol = new Map<string, DescFile>();
  const add = (file: DescFile): void => {
    if (byName.has(file.proto.name)) return;
    byName.set(file.proto.name, file);
    for (const symbol of symbolsOf(file)) bySymbol.set(symbol, file);
    file.dependencies.forEach(add);
  };
  roots.forEach(add);
  return { services: roots.flatMap((file) => file.services.map((service) => service.typeName)), byName, bySymbol };
}

function symbolsOf(file: DescFile): readonly string[] {
  const services = file.services.flatMap((service) => [service.typeName, ...service.methods.map((method) => `${service.typeName}.${method.name}`)]);
  return [...services, ...file.messages.flatMap(messageSymbols), ...file.enums.map((each) => each.typeName)];
}

function messageSymbols(message: DescFile["messages"][number]): readonly string[] {
  return [message.typeName, ...message.nestedMessages.flatMap(messageSymbols), ...message.nestedEnums.map((each) => each.typeName)];
}

const notFound = 5;
const unimplemented = 12;

function answerOf(index: Index, request: Question) {
  const asked = typeof request.value === "string" ? request.value : "";
  switch (request.case) {
    case "listServices":
      return { case: "listServicesResponse", value: { service: index.services.map((name) => ({ name })) } } as const;
    case "fileByFilename":
      return fileAnswer(index.byName.get(asked), asked);
    case "fileContainingSymbol":
      return fileAnswer(index.bySymbol.get(asked), asked);
    default:
      return {
        case: "errorResponse",
        value: { errorCode: unimplemented, errorMessage: `Cannot answer "${request.case ?? "nothing"}": extensions are not shown` },
      } as const;
  }
}

function fileAnswer(file: DescFile | undefined, asked: string) {
  if (file === undefined) return { case: "errorResponse", value: { errorCode: notFound, errorMessage: `"${asked}" was not found` } } as const;
  const seen = new Set<string>();
  const bytes: Uint8Array[] = [];
  const add = (each: DescFile): void => {
    if (seen.has(each.proto.name)) return;
    seen.add(each.proto.name);
    bytes.push(toBinary(FileDescriptorProtoSchema, each.proto));
    each.dependencies.forEach(add);
  };
  add(file);
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto: bytes } } as const;
}
