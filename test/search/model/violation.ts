/** A promise that is not kept, in words. */
export class Violation extends Error {}
