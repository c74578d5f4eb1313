/** A value that mostly is there already: whoever need not wait for it makes no promise, which a small call would feel. */
export type Awaitable<T> = T | Promise<T>;

/** `use` of the value, at once where it is there. */
export function andThen<T, R>(value: Awaitable<T>, use: (value: T) => Awaitable<R>): Awaitable<R> {
  return value instanceof Promise ? value.then(use) : use(value);
}
