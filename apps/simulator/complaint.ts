/** What was asked for cannot be done: told in one line, without a stack, and the program ends with exit code 1. */
export class Complaint extends Error {
  override readonly name = "Complaint";
}
