/** Thrown where a block cannot be taken apart: it is answered as a whole. */
export class NeedsWhole extends Error {}
