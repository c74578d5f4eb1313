/** Dice on one seed. `fork` gives each agent its own stream, so that what one draws never shifts another's. */

export interface Random {
  /** From 0 (inclusive) to 1 (exclusive). */
  next(): number;
  between(range: { readonly min: number; readonly max: number }): number;
  chance(share: number): boolean;
  /** Exponential with this mean: the gaps of a Poisson process. */
  exponential(mean: number): number;
  /** Standard normal. */
  normal(): number;
  fork(label: string): Random;
}

export function createRandom(seed: number, label = ""): Random {
  const next = sfc32(`${seed}/${label}`);
  return {
    next,
    between: ({ min, max }) => min + (max - min) * next(),
    chance: (share) => next() < share,
    // 1 - next() is never 0, so the logarithm is finite.
    exponential: (mean) => -Math.log(1 - next()) * mean,
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
    fork: (child) => createRandom(seed, `${label}/${child}`),
  };
}

/** Chris Doty-Humphrey's Small Fast Counting generator, 128 bits of state, which passes PractRand. */
function sfc32(text: string): () => number {
  let a = fnv1a(text, 0x811c9dc5);
  let b = fnv1a(text, 0x9e3779b9);
  let c = fnv1a(text, 0x85ebca6b);
  let counter = 1;
  function next(): number {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  }
  for (let round = 0; round < 12; round++) next();
  return next;
}

function fnv1a(text: string, basis: number): number {
  let hash = basis;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash | 0;
}
