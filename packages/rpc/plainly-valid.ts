/**
 * A message that obviously breaks no rule of its schema: identifiers, lengths and ranges, checked by plain functions that
 * are made once a schema. It never says that a message is wrong; whatever is not obvious is for protovalidate to judge,
 * which costs ten times as much.
 */
import { type DescField, type DescMessage, getOption, hasOption, ScalarType } from "@bufbuild/protobuf";
import {
  type DoubleRules,
  field as fieldRules,
  type FieldRules,
  Ignore,
  type Int32Rules,
  type Int64Rules,
  message as messageRules,
  oneof as oneofRules,
  type StringRules,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";

type Check = (value: unknown) => boolean;

const checks = new WeakMap<DescMessage, Check>();
const never: Check = () => false;
const always: Check = () => true;

export function isPlainlyValid(schema: DescMessage, message: object): boolean {
  return messageCheck(schema)(message);
}

function messageCheck(schema: DescMessage): Check {
  const known = checks.get(schema);
  if (known !== undefined) return known;
  checks.set(schema, never); // A schema that holds itself is not obvious.
  const made = makeMessageCheck(schema);
  checks.set(schema, made);
  return made;
}

function makeMessageCheck(schema: DescMessage): Check {
  if (hasOption(schema, messageRules) || schema.oneofs.some((each) => hasOption(each, oneofRules))) return never;
  const made = schema.fields.map((field) => ({ name: field.localName, check: fieldCheck(field) })).filter(({ check }) => check !== always);
  if (made.some(({ check }) => check === never)) return never;
  if (made.length === 0) return always;
  return (value) => typeof value === "object" && value !== null && made.every(({ name, check }) => check(Reflect.get(value, name)));
}

function fieldCheck(field: DescField): Check {
  const rules = hasOption(field, fieldRules) ? getOption(field, fieldRules) : undefined;
  if (rules?.ignore === Ignore.ALWAYS) return always;
  if (rules !== undefined && !isSimple(rules)) return never;
  if (field.fieldKind === "message" && field.oneof === undefined && rules?.type.case === undefined) {
    const inner = messageCheck(field.message);
    if (rules?.required === true) return inner === never ? never : (value) => value !== undefined && inner(value);
    return inner === always || inner === never ? inner : (value) => value === undefined || inner(value);
  }
  if (field.fieldKind === "scalar" || field.fieldKind === "enum") return rules === undefined ? always : scalarCheck(field, rules);
  return rules === undefined && field.message === undefined ? always : never;
}

/** No expressions, and nothing that changes which rules apply. */
function isSimple(rules: FieldRules): boolean {
  return rules.cel.length === 0 && rules.celExpression.length === 0 && rules.ignore === Ignore.UNSPECIFIED;
}

/** Where the field's being set is no question: a proto3 value that is always there. */
function scalarCheck(field: DescField, rules: FieldRules): Check {
  const { type } = rules;
  if (rules.required || field.oneof !== undefined || field.proto.proto3Optional) return never;
  if (type.case === "string" && field.scalar === ScalarType.STRING) return stringCheck(type.value);
  if (type.case === "int32" || type.case === "int64" || type.case === "double") return rangeCheck(type.value);
  return type.case === undefined ? always : never;
}

const uuid = /^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/;

/** Lengths are counted in code points, of which a string has at least half as many as units, and at most as many. */
function stringCheck(rules: StringRules): Check {
  const { wellKnown } = rules;
  if (!holdsOnly(rules, ["minLen", "maxLen", "wellKnown"])) return never;
  const isUuid = wellKnown.case === "uuid" && wellKnown.value;
  if (wellKnown.case !== undefined && !isUuid) return never;
  const least = Object.hasOwn(rules, "minLen") ? Number(rules.minLen) : 0;
  const most = Object.hasOwn(rules, "maxLen") ? Number(rules.maxLen) : Number.POSITIVE_INFINITY;
  return (value) => typeof value === "string" && value.length / 2 >= least && value.length <= most && (!isUuid || uuid.test(value));
}

function rangeCheck(rules: Int32Rules | Int64Rules | DoubleRules): Check {
  const { greaterThan, lessThan } = rules;
  if (!holdsOnly(rules, ["greaterThan", "lessThan"])) return never;
  const least = greaterThan.value ?? Number.NEGATIVE_INFINITY;
  const most = lessThan.value ?? Number.POSITIVE_INFINITY;
  // Limits that are the other way round mean what lies outside of them.
  if (least >= most) return never;
  // NaN is in no range.
  const fromLeast = greaterThan.case !== "gt";
  const toMost = lessThan.case !== "lt";
  return (value) =>
    (typeof value === "number" || typeof value === "bigint") && (fromLeast ? value >= least : value > least) && (toMost ? value <= most : value < most);
}

/** Whether no other rule is set: of the schema of rules, only what is set is a property of its own, or a list that is not empty. */
function holdsOnly(rules: object, known: readonly string[]): boolean {
  return Object.entries(rules).every(([name, value]) => name.startsWith("$") || known.includes(name) || (Array.isArray(value) && value.length === 0));
}
