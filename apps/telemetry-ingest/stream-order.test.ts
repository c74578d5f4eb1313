/** The newest position stream of a driver wins, whatever gateway carries it. */
import { expect, test } from "bun:test";
import { createStreamOrder } from "./stream-order.ts";

const [older, newer] = ["0199c0de-0000-7000-8000-000000000001", "0199c0df-0000-7000-8000-000000000001"];

test("an older stream is over once a newer one is known; unary batches belong to none", () => {
  const order = createStreamOrder(10);
  expect(order.isNewest("d-1", older)).toBe(true);
  expect(order.isNewest("d-1", newer)).toBe(true);
  expect(order.isNewest("d-1", older)).toBe(false);
  expect(order.isNewest("d-1", newer)).toBe(true);
  expect(order.isNewest("d-1", "")).toBe(true);
  expect(order.isNewest("d-2", older)).toBe(true);
});

test("the driver unheard for longest is forgotten first", () => {
  const order = createStreamOrder(2);
  for (const driver of ["d-1", "d-2"]) order.isNewest(driver, newer);
  order.isNewest("d-1", newer);
  order.isNewest("d-3", newer);
  expect(order.isNewest("d-1", older)).toBe(false);
  expect(order.isNewest("d-2", older)).toBe(true);
});
