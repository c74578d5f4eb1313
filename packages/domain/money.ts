/** Money in whole minor units (cents for USD, yen for JPY): never a fraction, never a float of major units. */
export type Money = { readonly currencyCode: string; readonly amountMinor: number };

/** @throws when `amountMinor` is not a safe integer: a broken invariant, not a refusal. */
export function money(currencyCode: string, amountMinor: number): Money {
  if (!Number.isSafeInteger(amountMinor)) throw new Error(`Cannot make money of ${amountMinor} ${currencyCode}: not a safe integer of minor units`);
  return { currencyCode, amountMinor };
}
