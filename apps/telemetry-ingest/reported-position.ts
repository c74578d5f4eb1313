/** One position as a gateway forwards it, unjudged. A place or a time that is missing is no number. */
export type ReportedPosition = {
  readonly sequence: bigint;
  readonly latitude: number;
  readonly longitude: number;
  readonly headingDegrees: number;
  readonly speedMps: number;
  readonly accuracyM: number;
  readonly observedAtMs: number;
};
