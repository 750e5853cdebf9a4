import { StreamsqlError } from '../base/errors.ts';

/** Thrown where a block cannot be taken apart: it is answered as a whole. */
export class NeedsWhole extends Error {}

/** Compiles a subquery by itself: a name that only the query around it has makes that one be answered as a whole. */
export async function uncorrelated<T>(compile: () => Promise<T>): Promise<T> {
  try {
    return await compile();
  } catch (error) {
    if (error instanceof StreamsqlError && error.code === 'BIND') throw new NeedsWhole();
    throw error;
  }
}
