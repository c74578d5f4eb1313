/** Dead letters of the coordinator and of every region are one list in order of time, and one replay. */
import { createClient } from "@connectrpc/connect";
import { createConnectTransport as createWebTransport } from "@connectrpc/connect-web";
import { OpsService } from "@ridegrid/contracts";
import type { ListDeadLettersRequest } from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import { apiError, reasonOf } from "@ridegrid/rpc";
import { expect, test } from "bun:test";
import { type Behind, requestId, startGateway, withBearer } from "./gateway.fixture.ts";

const idOf = (index: number): string => `0199c0de-0000-7000-8000-${String(index).padStart(12, "0")}`;

/** A service that holds letters: pages as the real ones do, and knows only its own at a replay. */
function holding(indexes: readonly number[], region: string) {
  const page = ({ pageSize, pageToken }: Pick<ListDeadLettersRequest, "pageSize" | "pageToken">) => {
    const left = indexes.map(idOf).filter((id) => id > pageToken);
    const shown = left.slice(0, pageSize === 0 ? 20 : pageSize);
    return { deadLetters: shown.map((deadLetterId) => ({ deadLetterId, region })), nextPageToken: left.length > shown.length ? (shown.at(-1) ?? "") : "" };
  };
  return { page, replay: (ids: readonly string[] = []) => ids.filter((id) => indexes.map(idOf).includes(id)).length };
}

const [central, ewr, lhr] = [holding([2, 9], "ewr"), holding([1, 4, 5, 8], "ewr"), holding([3, 6, 7], "lhr")];

const first = { pageSize: 0, pageToken: "" };
const all: Behind = {
  coordinator: {
    listDeadLetters: ({ command }) => ({ page: central.page(command ?? first) }),
    replayDeadLetters: ({ command }) => ({ replayed: central.replay(command?.deadLetterIds) }),
  },
  state: (region) => {
    const held = region === "ewr" ? ewr : lhr;
    return {
      listRegionDeadLetters: ({ command }) => ({ page: held.page(command ?? first) }),
      replayRegionDeadLetters: ({ command }) => ({ replayed: held.replay(command?.deadLetterIds) }),
    };
  },
};

test("ListDeadLetters pages over the coordinator and all regions without repeating or skipping", async () => {
  await using gateway = await startGateway(all);
  const client = createClient(OpsService, createWebTransport({ baseUrl: gateway.url }));
  const bearer = withBearer(await gateway.token("viewer", "v-1"));
  const pages: string[][] = [];
  let pageToken = "";
  do {
    const page = await client.listDeadLetters({ pageSize: 4, pageToken }, bearer);
    pages.push(page.deadLetters.map(({ deadLetterId }) => deadLetterId));
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && pages.length < 10);
  expect(pages).toEqual([[1, 2, 3, 4].map(idOf), [5, 6, 7, 8].map(idOf), [9].map(idOf)]);
  const refused = client.listDeadLetters({ region: "mars" }, bearer).catch((error: unknown) => error);
  expect(reasonOf(await refused)).toBe("FIELD_INVALID");
});

test("ReplayDeadLetters counts what each service replayed of those named, and a viewer may not", async () => {
  await using gateway = await startGateway(all);
  const client = createClient(OpsService, createWebTransport({ baseUrl: gateway.url }));
  const command = { requestId, reason: "mended", deadLetterIds: [1, 2, 3, 42].map(idOf) };
  expect((await client.replayDeadLetters(command, withBearer(await gateway.token("operator", "o-1")))).replayed).toBe(3);
  const viewer = withBearer(await gateway.token("viewer", "v-1"));
  expect(reasonOf(await client.replayDeadLetters(command, viewer).catch((error: unknown) => error))).toBe("ROLE_NOT_ALLOWED");
});

test("a list that misses a region is no list", async () => {
  const away = () => {
    throw apiError("DEPENDENCY_AWAY", "gone");
  };
  await using gateway = await startGateway({
    ...all,
    state: (region) => (region === "lhr" ? { listRegionDeadLetters: away } : { listRegionDeadLetters: () => ({}) }),
  });
  const client = createClient(OpsService, createWebTransport({ baseUrl: gateway.url }));
  const listed = client.listDeadLetters({}, withBearer(await gateway.token("operator", "o-1"))).catch((error: unknown) => error);
  expect(reasonOf(await listed)).toBe("DEPENDENCY_AWAY");
});
