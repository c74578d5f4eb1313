/** `bun run start APP… --region R`: any set of apps as production runs them, configured by the environment alone. */
import type { Environment } from "@ridegrid/runtime";
import type { AppTarget } from "./app-target.ts";
import type { StartOptions } from "./command-line.ts";
import { Complaint } from "./complaint.ts";
import { hostProcess, meshLogger } from "./host-process.ts";
import { databaseWaitMs } from "./limits.ts";
import { preparePlatform, waitForDatabase } from "./prepare-databases.ts";
import { readEnvironment } from "./read-environment.ts";
import { defaultRegionsFile, readRegionsFile } from "./regions-file.ts";
import { untilAskedToStop } from "./signals.ts";

/** Answers the exit code. */
export async function start(options: StartOptions, environment: Environment): Promise<number> {
  const regions = readRegionsFile(environment["RIDEGRID_REGIONS_FILE"] ?? defaultRegionsFile);
  for (const region of options.regions) {
    const known = regions.all.map(({ id }) => id);
    if (!known.includes(region)) throw new Complaint(`Cannot start: unknown region "${region}"; the regions file has ${known.join(", ")}`);
  }
  const targets: readonly AppTarget[] = options.apps.flatMap((app): readonly AppTarget[] =>
    app === "assignment-coordinator" ? [{ app, region: null }] : options.regions.map((region) => ({ app, region })),
  );
  const config = readEnvironment(environment, targets);
  const askedToStop = untilAskedToStop();
  const serviceName = targets.length === 1 ? (options.apps[0] ?? "ridegrid") : "ridegrid";
  const logger = meshLogger(config.logFormat, config.logLevel).child({ app: serviceName });
  if (config.databaseUrl !== undefined) {
    await waitForDatabase(config.databaseUrl, databaseWaitMs);
    await preparePlatform(config.databaseUrl);
  }
  const host = await hostProcess({ ...config, serviceName, logger, targets, regions });
  await host.start();
  logger.info(`stopping: ${await askedToStop}`);
  await host.stop();
  return 0;
}
