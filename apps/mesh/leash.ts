/**
 * Preloaded into every child of the mesh: when the pipe from the mesh closes, whatever closed it, the child is asked
 * to stop. A killed mesh leaves no child behind.
 */
process.stdin.on("end", () => process.kill(process.pid, "SIGTERM"));
process.stdin.on("error", () => process.kill(process.pid, "SIGTERM"));
process.stdin.resume();
// The pipe alone must not keep a child running that has done its work.
process.stdin.unref();
