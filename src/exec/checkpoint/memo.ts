import type { Memo } from './manifest.ts';

/** An instant, microseconds, as a memo has it. */
export const instantMemo = (instant: bigint | undefined): Memo => (instant === undefined ? null : String(instant));

export const instantOf = (memo: Memo | undefined): bigint | undefined =>
  typeof memo === 'string' ? BigInt(memo) : undefined;

export const fields = (memo: Memo): { readonly [name: string]: Memo } =>
  typeof memo === 'object' && memo !== null && !isList(memo) ? memo : {};

export const items = (memo: Memo | undefined): readonly Memo[] => (memo !== undefined && isList(memo) ? memo : []);

const isList = (memo: Memo): memo is readonly Memo[] => Array.isArray(memo);
