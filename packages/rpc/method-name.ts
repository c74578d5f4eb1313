/** A method's full name, such as "ridegrid.rider.v1.RiderService/GetRide", put together once. */
import type { DescMethod } from "@bufbuild/protobuf";

const names = new WeakMap<DescMethod, string>();

export function methodName(method: DescMethod): string {
  const known = names.get(method);
  if (known !== undefined) return known;
  const name = `${method.parent.typeName}/${method.name}`;
  names.set(method, name);
  return name;
}
