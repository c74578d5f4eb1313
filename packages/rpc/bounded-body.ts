/** Reads a request's body up to a limit. What is over it is read off and dropped, so that the sender reads the answer. */
import { oversizeDrainBytesMax } from "./limits.ts";

/** Undefined when the body is over `bytesMax`. */
export async function readBounded(body: AsyncIterable<Uint8Array>, bytesMax: number): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes <= bytesMax) chunks.push(chunk);
    else chunks.length = 0;
    if (bytes > oversizeDrainBytesMax) return undefined;
  }
  if (bytes > bytesMax) return undefined;
  const only = chunks[0];
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
}
