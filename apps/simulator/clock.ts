/** The time, passed in: wall milliseconds since the Unix epoch. */
export interface Clock {
  nowMs(): number;
}
