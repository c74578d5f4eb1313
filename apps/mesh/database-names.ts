/** The databases of one server: the platform's, and one for each region's event log. */
export const platformDatabase = "ridegrid";

export function logDatabaseName(region: string): string {
  return `ridegrid_log_${region}`;
}

export function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}
