import type { StreamsqlError } from '../base/errors.ts';
import type { Column } from '../base/schema.ts';
import { ident, raw, spliced } from '../base/sql.ts';
import type { AstNode } from './ast.ts';
import { closingKey } from './closing.ts';
import { newDemand, refuse, refuseWord, type QueryContext, type Relational } from './context.ts';
import { demandWatermark } from './demand.ts';
import type { CogroupNode } from './plan-cogroup.ts';
import type { PlanColumn, TimeAttribute } from './plan-columns.ts';

export interface CogroupRequest {
  readonly title: string;
  readonly inputs: CogroupNode['inputs'];
  /** The node's columns over the placeholders, then, where there are keys, `$k0`… */
  readonly body: string;
  /** Of the rows of the one input those that can still matter while rows are only added; undefined: all. */
  readonly matters?: string | undefined;
  /** The time attribute of each key, where it has one. */
  readonly keyTimes: readonly (TimeAttribute | undefined)[];
  /** When a key that is computed from results that change will change no more, where there is such a time. */
  readonly keySettles?: readonly (TimeAttribute | undefined)[];
  /** Which output column is which key and nothing else: it keeps the key's time attribute. */
  readonly keyOutputs: ReadonlyMap<string, number>;
  readonly at: AstNode;
}

/** The node of a body over kept inputs; refuses EMIT ON WINDOW CLOSE where nothing completes a key. */
export async function cogroupNode(context: QueryContext, request: CogroupRequest): Promise<Relational> {
  const count = request.keyTimes.length;
  const described = await context.service.describe(raw(bound(request)));
  const keys: Column[] = described
    .slice(described.length - count)
    .map((column, i) => ({ name: `$k${i}`, type: column.type }));
  const plain = request.inputs.every((input) => input.node.appendOnly);
  // Results that change give nothing for good, but of a window that is over they change no more.
  const times = plain ? request.keyTimes : context.emit === 'changes' ? (request.keySettles ?? []) : [];
  const at = closingKey(times);
  const time = times[at];
  const close = time === undefined ? undefined : { column: `$k${at}`, after: time.after, clock: time.clock };
  const emit = context.emit;
  if (emit === 'on-window-close' && close === undefined) throw refuseNeverClosing(context, request);
  if (close?.clock === 'event') request.inputs.forEach((input) => demandWatermark(input.node));
  const columns = described.slice(0, described.length - count).map((column): PlanColumn => {
    const key = request.keyOutputs.get(column.name);
    const own = key === undefined || emit === 'changes' ? undefined : request.keyTimes[key];
    return own?.window !== undefined && own.window === time?.window ? { ...column, time: own } : column;
  });
  const id = context.nextId(request.title.replaceAll(/\W+/g, '-'));
  await context.service.declare(id, columns);
  const node: CogroupNode = {
    kind: 'cogroup', id, columns, appendOnly: emit === 'on-window-close', demand: newDemand(),
    title: request.title, inputs: request.inputs, body: request.body, keys, emit, close,
    matters: plain && emit === 'changes' ? request.matters : undefined,
  }; // prettier-ignore
  return { node, columns };
}

function bound(request: CogroupRequest): string {
  let text = request.body;
  for (const input of request.inputs) {
    const keys = input.keys.map((key, i) => `, ${key} AS ${ident(`$k${i}`).text}`);
    const relation = `(SELECT *${keys.join('')} FROM plan.${ident(input.node.id).text})`;
    text = spliced(text, input.placeholder, relation);
  }
  return text;
}

function refuseNeverClosing(context: QueryContext, request: CogroupRequest): StreamsqlError {
  const changing = request.inputs.some((input) => !input.node.appendOnly);
  const { name, hint, word } = WORDS[request.title] ?? { name: request.title, hint: undefined, word: undefined };
  const message = changing
    ? `EMIT ON WINDOW CLOSE: ${name} over rows that change is never final`
    : `EMIT ON WINDOW CLOSE: nothing tells when ${name} is final`;
  const away = 'leave EMIT ON WINDOW CLOSE away';
  const advice = changing
    ? `${away}, or let the view below it emit on window close`
    : hint === undefined
      ? away
      : `${hint}, or ${away}`;
  return word === undefined
    ? refuse(context, request.at, message, advice)
    : refuseWord(context, request.at, word, message, advice);
}

/** What a title is to whoever wrote the query, what would make it close, and the word to point at. */
const WORDS: Readonly<Record<string, { name: string; hint?: string; word?: string }>> = {
  over: { name: 'an OVER window', hint: 'make window_start or window_end part of its PARTITION BY' },
  'top-n': {
    name: 'ORDER BY … LIMIT',
    hint: 'write QUALIFY row_number() OVER (PARTITION BY window_start, window_end ORDER BY …) <= n',
    word: 'LIMIT',
  },
  'distinct on': { name: 'DISTINCT ON', hint: 'make window_start or window_end part of it', word: 'DISTINCT' },
  except: { name: 'EXCEPT', hint: 'select window_start or window_end on both sides', word: 'EXCEPT' },
  'except all': { name: 'EXCEPT ALL', hint: 'select window_start or window_end on both sides', word: 'EXCEPT' },
  intersect: { name: 'INTERSECT', hint: 'select window_start or window_end on both sides', word: 'INTERSECT' },
  'intersect all': {
    name: 'INTERSECT ALL',
    hint: 'select window_start or window_end on both sides',
    word: 'INTERSECT',
  },
  recompute: { name: 'a subquery of this kind' },
  'groupBy-reduce': { name: 'an aggregate' },
};

/** A column of the relation as a body names it. */
export const cell = (alias: string, name: string): string => `${ident(alias).text}.${ident(name).text}`;
