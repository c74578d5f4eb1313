/**
 * A call that arrives with its refusal: its body could not be taken, and yet it passes the gate and every interceptor, so
 * that it is measured, logged and answered like any other.
 */
import { type ConnectError, type ConnectRouterOptions, type ContextValues, createContextKey, type HandlerContext, type Interceptor } from "@connectrpc/connect";

/** `passed`: what the gate let in. `reached`: the interceptors saw the call, or the gate's own refusal stands. */
export type Admission = { reached: boolean; passed: HandlerContext | undefined; readonly refusal: ConnectError | undefined };

const admissionKey = createContextKey<Admission | undefined>(undefined, { description: "edge admission" });

/** The first of the edge's interceptors: marks that a call arrived, or ends it with the refusal it came with. */
export function admission(): Interceptor {
  return (next) => (request) => {
    const state = request.contextValues.get(admissionKey);
    if (state !== undefined) state.reached = true;
    if (state?.refusal !== undefined) throw state.refusal;
    return next(request);
  };
}

type Gate = NonNullable<ConnectRouterOptions["requestGate"]>;

/** A gate that a call passes once, even when it is made again with its refusal: a rate is not charged twice. */
export function edgeGate(gate: Gate): Gate {
  return async (context) => {
    const state = context.values.get(admissionKey);
    if (state?.passed !== undefined) return takeHeaders(state.passed, context);
    try {
      await gate(context);
      if (state !== undefined) state.passed = context;
    } catch (error) {
      // The gate's answer stands, and is not about the body: it is not asked for again.
      if (state !== undefined) state.reached = true;
      throw error;
    }
  };
}

/** What the gate wrote, such as what is left of a rate, goes along; what describes the body that could not be taken does not. */
function takeHeaders(from: HandlerContext, into: HandlerContext): void {
  for (const [name, value] of from.responseHeader) if (!ofProtocol.test(name)) into.responseHeader.set(name, value);
  for (const [name, value] of from.requestHeader) if (!ofProtocol.test(name)) into.requestHeader.set(name, value);
}

const ofProtocol = /^(content|connect|grpc)-/;

export function admitWith(values: ContextValues, state: Admission): ContextValues {
  return values.set(admissionKey, state);
}
