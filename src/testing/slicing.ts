import type { FedRecord, Step } from './test-file.ts';
import type { Name } from '../parser/statements.ts';
import type { Span } from '../base/errors.ts';

/** A way to cut what a case feeds into epochs. Whatever it is, expectations see the same rows. */
export type Slicing =
  | { readonly kind: 'as-written' }
  | { readonly kind: 'single-rows' }
  | { readonly kind: 'uncut' }
  | { readonly kind: 'random'; readonly seed: number };

export const AS_WRITTEN: Slicing = { kind: 'as-written' };

/** As written, every row by itself, nothing cut that need not be, and two ways at random. */
export const ALL_SLICINGS: readonly Slicing[] = [
  AS_WRITTEN,
  { kind: 'single-rows' },
  { kind: 'uncut' },
  { kind: 'random', seed: 1 },
  { kind: 'random', seed: 2 },
];

export function slicingName(slicing: Slicing): string {
  switch (slicing.kind) {
    case 'as-written':
      return 'as written';
    case 'single-rows':
      return 'with an epoch for each row';
    case 'uncut':
      return 'with no epoch cut before it must be';
    case 'random':
      return `with epochs cut at random, seed ${slicing.seed}`;
  }
}

/** A record on its way: to which source and partition. */
export interface Delivery {
  readonly source: Name;
  readonly columns: readonly Name[];
  readonly partition: number;
  readonly record: FedRecord;
}

/** A change of a table on its way: its text, and where it stands in the test file. */
export interface Change {
  readonly sql: string;
  readonly span: Span;
}

/** What the case's steps come to: epochs of records and changes, and between them what else there is. */
export type Action =
  | {
      readonly kind: 'epoch';
      readonly records: readonly Delivery[];
      readonly changes: readonly Change[];
      readonly span: Span;
    }
  | Exclude<Step, { readonly kind: 'feed' | 'change' | 'epoch' }>;

/** Cuts what is fed and changed between two other steps (a clock that moves, an expectation, the end) into epochs. */
export function slice(steps: readonly Step[], slicing: Slicing): readonly Action[] {
  const actions: Action[] = [];
  let stretch: Stretch = [];
  const random = slicing.kind === 'random' ? generator(slicing.seed) : () => 0;
  const flush = (): void => {
    actions.push(...cut(stretch, slicing, random));
    stretch = [];
  };
  for (const step of steps) {
    if (step.kind === 'feed') stretch.push(step);
    else if (step.kind === 'epoch' || step.kind === 'change') stretch.push(step);
    else {
      flush();
      actions.push(step);
    }
  }
  flush();
  return actions;
}

type Stretch = Extract<Step, { readonly kind: 'feed' | 'change' | 'epoch' }>[];

function cut(stretch: Stretch, slicing: Slicing, random: () => number): readonly Action[] {
  const epochs: { records: Delivery[]; changes: Change[]; span: Span }[] = [];
  let open: (typeof epochs)[number] | undefined;
  const cutsHere = (): boolean =>
    slicing.kind === 'single-rows' || (slicing.kind === 'random' && random() < CUTS_AT_RANDOM);
  const close = (): void => {
    if (open !== undefined) epochs.push(open);
    open = undefined;
  };
  for (const step of stretch) {
    if (step.kind === 'epoch') {
      if (slicing.kind !== 'as-written') continue;
      open ??= { records: [], changes: [], span: step.span };
      close();
      continue;
    }
    if (step.kind === 'change') {
      open ??= { records: [], changes: [], span: step.span };
      open.changes.push({ sql: step.sql, span: step.span });
      if (cutsHere()) close();
      continue;
    }
    for (const record of step.records) {
      open ??= { records: [], changes: [], span: step.span };
      open.records.push({ source: step.source, columns: step.columns, partition: step.partition, record });
      if (cutsHere()) close();
    }
  }
  close();
  return epochs.map((epoch) => ({ kind: 'epoch', ...epoch }));
}

const CUTS_AT_RANDOM = 0.4;

/** mulberry32: the same cuts for the same seed everywhere. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
