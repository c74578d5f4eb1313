/** The address at the other end of a call's connection, asked for only where it matters. */
import { createContextKey, createContextValues, type ContextValues, type HandlerContext } from "@connectrpc/connect";

const peerAddressKey = createContextKey<() => string>(() => "", { description: "address of the peer" });

/** Empty when the connection is gone or there is none. */
export function peerAddressOf(context: HandlerContext): string {
  return context.values.get(peerAddressKey)();
}

export function withPeerAddress(address: () => string): ContextValues {
  return createContextValues().set(peerAddressKey, address);
}
