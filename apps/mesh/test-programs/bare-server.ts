/**
 * What the platform's calls are compared with: Hono and postgres.js, one statement a call, nothing checked, no event.
 *
 * Option: `{ databaseUrl }`, of an empty database. Command: `{ listen: rows }`, answered with `{ port }`.
 */
import { answerCommands } from "@ridegrid/testing";
import { Hono } from "hono";
import postgres from "postgres";

const { databaseUrl }: { readonly databaseUrl: string } = JSON.parse(process.argv[2] ?? "{}");
const sql = postgres(databaseUrl, { max: 8, onnotice: () => {} });
const app = new Hono();

app.post("/read", async (context) => {
  const { index } = await context.req.json<{ index: number }>();
  const [row] = await sql`SELECT * FROM bare_ride WHERE number = ${index}`;
  return context.json({ ride: row });
});
app.post("/write", async (context) => {
  const { id, place } = await context.req.json<{ id: string; place: { latitude: number; longitude: number } }>();
  const [row] = await sql`
    INSERT INTO bare_quote (quote_id, pickup_latitude, pickup_longitude, fare_minor, expire_time)
    VALUES (${id}, ${place.latitude}, ${place.longitude}, 1200, now() + interval '2 minutes') RETURNING *`;
  return context.json({ quote: row });
});

await answerCommands(async ({ listen }) => {
  await sql`CREATE TABLE bare_ride (number integer PRIMARY KEY, ride_id uuid, rider_id text, status text, pickup jsonb, dropoff jsonb, create_time timestamptz)`;
  await sql`CREATE TABLE bare_quote (quote_id uuid PRIMARY KEY, pickup_latitude float8, pickup_longitude float8, fare_minor bigint, expire_time timestamptz)`;
  await sql`
    INSERT INTO bare_ride SELECT number, gen_random_uuid(), 'r-' || number, 'requested', '{"latitude": 51.5, "longitude": -0.12}', '{"latitude": 51.6, "longitude": -0.12}', now()
    FROM generate_series(0, ${Number(listen)}) AS number`;
  return { port: Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: app.fetch }).port };
});
