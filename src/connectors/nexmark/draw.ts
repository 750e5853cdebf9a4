import { ident, join, literal, sql, type Sql } from '../../base/sql.ts';

/** A draw by its name: a pseudo-random whole number from 0 to 2^32 - 1, another one for each row and each name. */
export const draw = (name: string): Sql => ident(`draw_${name}`);

/** A number from 0 to `size` - 1, evenly, from a draw; `size` may be SQL over the row and is at most 2^31. */
export const below = (size: number | Sql, drawn: Sql): Sql => sql`(${drawn} * ${size} >> 32)`;

/** One of the texts, evenly, from a draw. */
export const pick = (texts: readonly string[], drawn: Sql): Sql =>
  sql`([${join(texts.map((text) => literal(text)))}])[1 + ${below(texts.length, drawn)}]`;

/**
 * Adds draws to rows that have an event number `n`: 32 bits of it (so draws repeat after 2^32 events), salted, then two
 * rounds of multiply and xor-shift. Integer arithmetic alone, so the same on every machine and release; no product
 * reaches 2^63. One SELECT inside another for each step, so that the text grows with the number of draws and no more.
 */
export function withDraws(rows: Sql, kept: readonly Sql[], names: readonly string[], seed: number): Sql {
  const step = (from: Sql, next: (name: string) => Sql): Sql =>
    sql`SELECT ${join([...kept, ...names.map((name) => sql`${next(name)} AS ${draw(name)}`)])} FROM (${from})`;
  const salted = step(rows, (name) => sql`xor(n & ${MASK}, ${saltOf(seed, name)})`);
  const once = step(salted, (name) => sql`xor(${draw(name)}, ${draw(name)} >> 16) * ${MULTIPLIERS[0]} & ${MASK}`);
  const twice = step(once, (name) => sql`xor(${draw(name)}, ${draw(name)} >> 15) * ${MULTIPLIERS[1]} & ${MASK}`);
  return step(twice, (name) => sql`xor(${draw(name)}, ${draw(name)} >> 15)`);
}

/** FNV-1a over the name, begun from the seed. */
function saltOf(seed: number, name: string): number {
  let hash = (0x811c9dc5 ^ Math.imul(seed, 0x9e3779b1)) >>> 0;
  for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

const MASK = 0xffff_ffff;
/** Odd and below 2^31. */
const MULTIPLIERS = [0x21f0aaad, 0x735a2d97] as const;
