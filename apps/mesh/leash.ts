/**
 * Preloaded into every child of the mesh: when the pipe from the mesh closes, whatever closed it, the child is asked
 * to stop, and killed if it takes too long. A killed mesh leaves no child behind.
 */
import { leashGraceMs } from "./limits.ts";

let slipped = false;
process.stdin.on("end", slip);
process.stdin.on("error", slip);
process.stdin.resume();
// The pipe alone must not keep a child running that has done its work.
process.stdin.unref();

function slip(): void {
  if (slipped) return;
  slipped = true;
  process.kill(process.pid, "SIGTERM");
  setTimeout(() => process.kill(process.pid, "SIGKILL"), leashGraceMs).unref();
}
