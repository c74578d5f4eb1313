/**
 * Puts in place the functions that search by place, and their indexes: on PostGIS where this database has it, else in
 * the portable form. Both have the same names, arguments and answers.
 *
 * Asked again at each start, so that PostGIS that came or went since is noticed. Changing the form builds two indexes;
 * folding waits for that, reads do not.
 */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Sql } from "@ridegrid/runtime";

export type GeographyForm = "postgis" | "portable";

/** The migrations have been applied. Answers the form that is in place now, and whether it was put there now. */
export async function chooseGeography(sql: Sql): Promise<{ readonly form: GeographyForm; readonly changed: boolean }> {
  const [portable, postgis] = await Promise.all([readForm("portable"), readForm("postgis")]);
  return await sql.begin(async (tx) => {
    await tx`SET LOCAL statement_timeout = 0`;
    await tx`SELECT pg_advisory_xact_lock(hashtext('ridegrid.geography'), hashtext(current_schema()))`;
    const [extension] = await tx<{ schema: string }[]>`
      SELECT quote_ident(nspname) AS schema FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
      WHERE extname = 'postgis' AND has_schema_privilege(n.oid, 'USAGE')`;
    const form = extension === undefined ? "portable" : "postgis";
    const text = extension === undefined ? portable : postgis.replaceAll("POSTGIS.", `${extension.schema}.`);
    const checksum = new Bun.CryptoHasher("sha256").update(text).digest("hex");
    const [known] = await tx`SELECT FROM geography_form WHERE form = ${form} AND checksum = ${checksum}`;
    if (known !== undefined) return { form, changed: false };
    await tx.unsafe(text);
    await tx`
      INSERT INTO geography_form (form, checksum) VALUES (${form}, ${checksum})
      ON CONFLICT (one) DO UPDATE SET form = EXCLUDED.form, checksum = EXCLUDED.checksum`;
    return { form, changed: true };
  });
}

async function readForm(form: GeographyForm): Promise<string> {
  return await readFile(fileURLToPath(new URL(`./geography/${form}.sql`, import.meta.url)), "utf8");
}
