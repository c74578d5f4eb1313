/** The name that this app's leases, checkpoints, dead letters and lag are kept under. */
export const consumerName = "state-query";
