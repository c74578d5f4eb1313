/** Where the SQL of the outbox, leases, checkpoints and dead letters lies; each writer's schema applies it with `migrate()`. */
import { fileURLToPath } from "node:url";

export const eventLogMigrations: string = fileURLToPath(new URL("./migrations", import.meta.url));
