/** What wraps every method of a server, said once for all of its protocols and paths. */
import type { ConnectRouterOptions } from "@connectrpc/connect";
import type { Gate } from "./admission.ts";
import type { CallLayer } from "./call-layer.ts";
import { layerInterceptor } from "./layer-interceptor.ts";

export type EdgeOptions = {
  readonly gate?: Gate;
  /** From the outermost to the innermost. There are no interceptors beside them: those would hold on one path only. */
  readonly layers: readonly CallLayer[];
  readonly readMaxBytes: number;
  readonly jsonOptions?: NonNullable<ConnectRouterOptions["jsonOptions"]>;
};

export function routerOptions({ gate, layers, ...rest }: EdgeOptions): ConnectRouterOptions {
  return { ...rest, interceptors: [layerInterceptor(layers)], ...(gate === undefined ? {} : { requestGate: gate }) };
}
