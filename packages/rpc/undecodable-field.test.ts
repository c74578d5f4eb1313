/** `undecodableField()` names the field, wherever it lies. */
import { expect, test } from "bun:test";
import type { JsonValue } from "@bufbuild/protobuf";
import { ReportPositionsRequestSchema } from "@ridegrid/contracts/gen/driver/v1/driver_service_pb";
import { SearchRidesRequestSchema } from "@ridegrid/contracts/gen/ops/v1/ops_service_pb";
import { holdsEnums, undecodableField } from "./undecodable-field.ts";

const positions = (json: JsonValue) => undecodableField(ReportPositionsRequestSchema, json)?.field;
const search = (json: JsonValue) => undecodableField(SearchRidesRequestSchema, json)?.field;

test("undecodableField() names nested fields, list items and wrong shapes, and passes over what is unknown", () => {
  expect(positions([])).toBe("body");
  expect(positions({ positions: {} })).toBe("positions");
  expect(positions({ positions: [{}, 7] })).toBe("positions[1]");
  expect(positions({ positions: [{ location: { longitude: "east" } }] })).toBe("positions[0].location.longitude");
  expect(positions({ positions: [{ observe_time: "yesterday" }] })).toBe("positions[0].observe_time");
  expect(positions({ positions: [{ sequence: "7", location: null, colour: "red" }], also: 1 })).toBeUndefined();
  expect(search({ statuses: ["RIDE_STATUS_REQUESTED", "RIDE_STATUS_LOST"] })).toBe("statuses");
  expect(search({ statuses: ["RIDE_STATUS_REQUESTED", 99], pageSize: 5 })).toBeUndefined();
});

test("holdsEnums() tells the few requests that need a second look", () => {
  expect(holdsEnums(SearchRidesRequestSchema)).toBe(true);
  expect(holdsEnums(ReportPositionsRequestSchema)).toBe(false);
});
