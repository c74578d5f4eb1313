/**
 * The keys of `fly.toml` that Fly.io's reference knows, as far as we use them, each with its section there and what it
 * takes: https://fly.io/docs/reference/configuration/, read in November 2026. A key that is not here is refused, so
 * that a new one is looked up first.
 */

type FlyKey = { readonly section: string; readonly takes: (value: unknown) => boolean };

const text = (value: unknown): boolean => typeof value === "string" && value !== "";
const flag = (value: unknown): boolean => typeof value === "boolean";
const whole = (value: unknown): boolean => Number.isInteger(value) && Number(value) > 0;
const port = (value: unknown): boolean => whole(value) && Number(value) <= 65_535;
const duration = (value: unknown): boolean => typeof value === "string" && /^(\d+(ms|s|m|h))+$/.test(value);
const texts = (value: unknown): boolean => Array.isArray(value) && value.length > 0 && value.every(text);
const oneOf =
  (...choices: readonly string[]) =>
  (value: unknown): boolean =>
    typeof value === "string" && choices.includes(value);
const allOf =
  (...choices: readonly string[]) =>
  (value: unknown): boolean =>
    texts(value) && Array.isArray(value) && value.every((one) => choices.includes(String(one)));

const autostop = oneOf("off", "stop", "suspend");
const handlers = allOf("http", "tls", "proxy_proto", "pg_tls", "edge_http");
const measures = oneOf("connections", "requests");
const signals = oneOf("SIGINT", "SIGTERM", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGKILL", "SIGSTOP");
const strategies = oneOf("rolling", "immediate", "canary", "bluegreen");
const sizes = oneOf(...["1x", "2x", "4x", "8x"].map((size) => `shared-cpu-${size}`), ...["1x", "2x", "4x", "8x", "16x"].map((size) => `performance-${size}`));

/** By path: a list's items share their list's path, and `*` is a name of one's own. */
const flyKeys: Readonly<Record<string, FlyKey>> = {
  app: { section: "the-app-name", takes: text },
  primary_region: { section: "primary-region", takes: (value) => typeof value === "string" && /^[a-z]{3}$/.test(value) },
  kill_signal: { section: "kill_signal-option", takes: signals },
  // Seconds; five minutes at most.
  kill_timeout: { section: "kill_timeout-option", takes: (value) => whole(value) && Number(value) <= 300 },
  "build.dockerfile": { section: "specify-a-dockerfile", takes: text },
  "deploy.release_command": { section: "run-one-off-commands-before-releasing-a-deployment", takes: text },
  "deploy.strategy": { section: "picking-a-deployment-strategy", takes: strategies },
  "deploy.max_unavailable": { section: "rolling-deploy-configuration", takes: (value) => typeof value === "number" && value > 0 },
  "deploy.wait_timeout": { section: "dealing-with-timeout-errors-while-deploying-a-new-version", takes: duration },
  "processes.*": { section: "the-processes-section", takes: text },
  "env.*": { section: "the-env-variables-section", takes: (value) => typeof value === "string" },
  "http_service.processes": { section: "the-http_service-section", takes: texts },
  "http_service.internal_port": { section: "the-http_service-section", takes: port },
  "http_service.force_https": { section: "the-http_service-section", takes: flag },
  "http_service.auto_stop_machines": { section: "the-http_service-section", takes: autostop },
  "http_service.auto_start_machines": { section: "the-http_service-section", takes: flag },
  "http_service.concurrency.type": { section: "http_service-concurrency", takes: measures },
  "http_service.concurrency.soft_limit": { section: "http_service-concurrency", takes: whole },
  "http_service.concurrency.hard_limit": { section: "http_service-concurrency", takes: whole },
  "http_service.checks.method": { section: "http_service-checks", takes: oneOf("GET") },
  "http_service.checks.path": { section: "http_service-checks", takes: text },
  "http_service.checks.interval": { section: "http_service-checks", takes: duration },
  "http_service.checks.timeout": { section: "http_service-checks", takes: duration },
  "http_service.checks.grace_period": { section: "http_service-checks", takes: duration },
  "services.processes": { section: "the-services-sections", takes: texts },
  "services.internal_port": { section: "the-services-sections", takes: port },
  "services.protocol": { section: "the-services-sections", takes: oneOf("tcp", "udp") },
  "services.auto_stop_machines": { section: "the-services-sections", takes: autostop },
  "services.auto_start_machines": { section: "the-services-sections", takes: flag },
  "services.ports.port": { section: "services-ports", takes: port },
  "services.ports.handlers": { section: "services-ports", takes: handlers },
  "services.ports.http_options.h2_backend": { section: "services-ports-http_options-h2_backend", takes: flag },
  "services.ports.tls_options.alpn": { section: "services-ports-tls_options", takes: allOf("h2", "http/1.1") },
  "services.concurrency.type": { section: "services-concurrency", takes: measures },
  "services.concurrency.soft_limit": { section: "services-concurrency", takes: whole },
  "services.concurrency.hard_limit": { section: "services-concurrency", takes: whole },
  "services.tcp_checks.interval": { section: "services-tcp_checks", takes: duration },
  "services.tcp_checks.timeout": { section: "services-tcp_checks", takes: duration },
  "services.tcp_checks.grace_period": { section: "services-tcp_checks", takes: duration },
  "checks.*.type": { section: "the-checks-section", takes: oneOf("http", "tcp") },
  "checks.*.port": { section: "the-checks-section", takes: port },
  "checks.*.method": { section: "the-checks-section", takes: oneOf("GET") },
  "checks.*.path": { section: "the-checks-section", takes: text },
  "checks.*.interval": { section: "the-checks-section", takes: duration },
  "checks.*.timeout": { section: "the-checks-section", takes: duration },
  "checks.*.grace_period": { section: "the-checks-section", takes: duration },
  "metrics.port": { section: "the-metrics-section", takes: port },
  "metrics.path": { section: "the-metrics-section", takes: text },
  "vm.processes": { section: "the-vm-section", takes: texts },
  "vm.size": { section: "the-vm-section", takes: sizes },
  "vm.memory": { section: "the-vm-section", takes: (value) => typeof value === "string" && /^\d+(mb|gb)$/i.test(value) },
};

/** What Fly's reference would refuse, in words. */
export function flyComplaints(config: unknown): readonly string[] {
  return leavesOf(config, []).flatMap(({ path, value }) => {
    const key = Object.hasOwn(flyKeys, path.join(".")) ? flyKeys[path.join(".")] : flyKeys[wildcard(path)];
    if (key === undefined) return [`${path.join(".")} is not a key of the reference`];
    return key.takes(value) ? [] : [`${path.join(".")} does not take ${JSON.stringify(value)}`];
  });
}

/** In these tables the names are one's own. */
function wildcard([table = "", , ...rest]: readonly string[]): string {
  return ["processes", "env", "checks"].includes(table) ? [table, "*", ...rest].join(".") : "";
}

type Leaf = { readonly path: readonly string[]; readonly value: unknown };

function leavesOf(value: unknown, path: readonly string[]): readonly Leaf[] {
  if (Array.isArray(value) && value.some((item) => typeof item === "object")) return value.flatMap((item) => leavesOf(item, path));
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [{ path, value }];
  return Object.entries(value).flatMap(([key, inner]) => leavesOf(inner, [...path, key]));
}
