import { sql, type Sql } from '../../base/sql.ts';
import { below } from './draw.ts';

/**
 * A price in cents from 100 to about 100,000,000, each doubling as likely as the next: the benchmark's logarithmic
 * spread without a logarithm. The upper part of the draw chooses one of twenty doublings, the rest a place in it.
 */
export function price(drawn: Sql): Sql {
  const doublings = sql`(${drawn} * 20 >> 32)`;
  const within = sql`(1048576 + (${drawn} * 20 >> 12 & 1048575))`;
  return sql`(100 * ${within} << ${doublings} >> 20)`;
}

/** `length` letters (at most 400, a number or SQL) that begin anywhere in the first hundred of a fixed text. */
export const letters = (length: number | Sql, drawn: Sql): Sql =>
  sql`substr(${LETTERS}, 1 + ${below(100, drawn)}, ${length})`;

/** A word of five letters for a number from 0 to 127. */
export const word = (number: Sql): Sql => sql`substr(${LETTERS.slice(0, 132)}, 1 + ${number}, 5)`;

/** Lower-case letters by a linear congruence, always the same. */
const LETTERS = ((): string => {
  let state = 42;
  return Array.from({ length: 500 }, () => {
    state = (state * 48_271) % 2_147_483_647;
    return String.fromCharCode(97 + (state % 26));
  }).join('');
})();
