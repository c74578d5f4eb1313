/** Calls between clients, gateways and services: errors, interceptors, transports, mounts, health and reflection. */
export { type ApiReason, apiReasons, isApiReason } from "./api-reason.ts";
export { asService, type Caller, callerHeaders, callerKey, callerOf, onBehalfOf, type Role } from "./caller.ts";
export { orAborted, unaryDeadline } from "./deadline.ts";
export { dependencyCall } from "./dependency-call.ts";
export { admission } from "./edge-handler.ts";
export { errorMapping, type Fault, type FaultLog, isConnectionFault, toApiError } from "./error-mapping.ts";
export { checkMessage, fieldValidation } from "./field-validation.ts";
export { h2cTransport, listenInternal, type ListenInternalOptions } from "./h2c.ts";
export { type HealthOptions, registerHealth } from "./health.ts";
export { mountConnect } from "./hono-mount.ts";
export { type Http2Listener, listenHttp2 } from "./http2-listener.ts";
export { createInMemoryTransport, type Routes } from "./in-memory.ts";
export { type InternalPeers, internalServerOptions, type InternalServerOptions } from "./internal-server.ts";
export { edgeBodyBytesMax, edgeCallTimeoutMs, internalCallTimeoutMs } from "./limits.ts";
export { nativeGrpcHandler } from "./native-grpc.ts";
export { registerReflection } from "./reflection.ts";
export { apiError, errorDomain, errorMetadata, reasonOf, refusalError } from "./refusal-error.ts";
export { createServiceDirectory, type ServiceDirectory, type ServiceName } from "./service-directory.ts";
