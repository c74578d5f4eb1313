/**
 * A call that arrives with its refusal: its body could not be taken, and yet it passes the gate and every interceptor, so
 * that it is measured, logged and answered like any other.
 */
import { type ConnectError, type ContextValues, createContextKey, type HandlerContext } from "@connectrpc/connect";
import type { Awaitable } from "./awaitable.ts";
import type { CallLayer } from "./call-layer.ts";

/** `passed`: what the gate let in. `reached`: the interceptors saw the call, or the gate's own refusal stands. */
export type Admission = { reached: boolean; passed: HandlerContext | undefined; readonly refusal: ConnectError | undefined };

const admissionKey = createContextKey<Admission | undefined>(undefined, { description: "edge admission" });

/** Marks that a call arrived at the layers, or ends it with the refusal it came with. */
export const admission: CallLayer = {
  unary({ contextValues }) {
    arrive(contextValues);
    return undefined;
  },
  stream: (next) => async (request) => {
    arrive(request.contextValues);
    return next(request);
  },
};

function arrive(values: ContextValues): void {
  const state = values.get(admissionKey);
  if (state !== undefined) state.reached = true;
  if (state?.refusal !== undefined) throw state.refusal;
}

/** Asked before the body of a call is looked at. @throws its refusal. */
export type Gate = (context: HandlerContext) => Awaitable<void>;

/** A gate that a call passes once, even when it is made again with its refusal: a rate is not charged twice. */
export function edgeGate(gate: Gate): Gate {
  return (context) => {
    const state = context.values.get(admissionKey);
    if (state === undefined) return gate(context);
    return state.passed === undefined ? passing(gate, context, state) : takeHeaders(state.passed, context);
  };
}

async function passing(gate: Gate, context: HandlerContext, state: Admission): Promise<void> {
  try {
    await gate(context);
    state.passed = context;
  } catch (error) {
    // The gate's answer stands, and is not about the body: it is not asked for again.
    state.reached = true;
    throw error;
  }
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
