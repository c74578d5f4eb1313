/** Whether the coordinator answers, looked at now and then: what readiness says between calls. */
import { asService, type ServiceDirectory } from "@ridegrid/rpc";
import type { ReadinessPart } from "@ridegrid/runtime";
import { probeIntervalMs, probeTimeoutMs } from "./limits.ts";

export interface CoordinatorProbe {
  start(): void;
  stop(): void;
  readonly part: ReadinessPart;
}

export function createCoordinatorProbe(directory: ServiceDirectory, name: string): CoordinatorProbe {
  let detail = "it was not asked yet";
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running = false;

  async function look(): Promise<void> {
    try {
      await directory.coordinator().now({}, asService(name, { timeoutMs: probeTimeoutMs }));
      detail = "";
    } catch (error) {
      detail = error instanceof Error ? error.message : String(error);
    }
    if (running) timer = setTimeout(() => void look(), probeIntervalMs);
  }

  return {
    start() {
      running = true;
      void look();
    },
    stop() {
      running = false;
      clearTimeout(timer);
    },
    get part() {
      return { name: "coordinator", ready: detail === "", detail };
    },
  };
}
