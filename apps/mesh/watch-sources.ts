/** Calls back when a source file changed, once for a burst of changes, and never again before the last call is done. */
import { type FSWatcher, watch } from "node:fs";
import { join } from "node:path";
import { sourceChangeQuietMs } from "./limits.ts";

export interface SourceWatch {
  stop(): void;
}

const root = join(import.meta.dir, "../..");
const folders = ["apps", "packages", "deploy"];

export function watchSources(onChange: () => Promise<void>): SourceWatch {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running: Promise<void> | undefined;
  let again = false;

  function run(): void {
    if (running !== undefined) {
      again = true;
      return;
    }
    running = onChange().finally(() => {
      running = undefined;
      if (!again) return;
      again = false;
      run();
    });
  }

  const watchers: readonly FSWatcher[] = folders.map((folder) =>
    watch(join(root, folder), { recursive: true }, (_event, path) => {
      if (path === null || !isSource(path)) return;
      clearTimeout(timer);
      timer = setTimeout(run, sourceChangeQuietMs);
    }),
  );
  return {
    stop() {
      clearTimeout(timer);
      for (const watcher of watchers) watcher.close();
    },
  };
}

/** Tests and what tools write beside the source restart nothing. */
function isSource(path: string): boolean {
  return /\.(ts|sql|json)$/.test(path) && !/\.test\.ts$|node_modules/.test(path);
}
