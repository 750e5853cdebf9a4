import type { Span } from '../base/errors.ts';
import { closing } from '../parser/brackets.ts';
import { replaceSpans, type Replacement } from '../parser/mapped-text.ts';
import { tokenize } from '../parser/tokens.ts';
import { findWindowCalls, type CallArgument, type WindowCall } from '../parser/window-calls.ts';
import type { MappedText } from '../parser/statements.ts';

/** Words that may follow a table in FROM and are no alias of it. */
const NO_ALIAS =
  /^(?:join|inner|left|right|full|cross|natural|semi|anti|asof|positional|on|using|where|group|having|order|limit|offset|fetch|union|except|intersect|window|qualify|tablesample|emit|for)$/i;

/**
 * The user's text with each window call in FROM replaced by a subquery that has its columns, for DuckDB's binder; the
 * way back to the user's text is kept.
 */
export function bindText(text: MappedText): MappedText {
  let current = withoutVersions(plainGrouping(text));
  for (;;) {
    const calls = findWindowCalls(current);
    const inner = calls.find(
      (call) => !calls.some((other) => other !== call && other.start >= call.start && other.end <= call.end),
    );
    if (inner === undefined) return current;
    current = replaceSpans(current, subquery(current.text, inner));
  }
}

/** `(FROM data SELECT …, time AS window_start, …)`; data, time and keys stay where they are, so that errors point at them. */
function subquery(text: string, call: WindowCall): readonly Replacement[] {
  const argument = (name: string, position: number): CallArgument | undefined =>
    call.arguments.find((candidate) => candidate.name === name) ??
    [call.arguments[position]].find((candidate) => candidate?.name === undefined);
  const written = (at: Span | undefined): string => (at === undefined ? 'NULL' : text.slice(at.start, at.end));
  const [data, time] = [argument('data', 0), argument('timecol', 1)];
  const keys = call.function === 'session' ? insideList(text, argument('partition_by', SESSION_KEYS)) : undefined;
  const after = /^\s*(?:(as)\s+)?("(?:[^"]|"")*"|[a-z_]\w*)?/i.exec(text.slice(call.end));
  const aliased = after?.[1] !== undefined || (after?.[2] !== undefined && !NO_ALIAS.test(after[2]));
  const from = written(data);
  const name = /^[\w".]+$/.test(from) ? (from.split('.').at(-1) ?? from) : 'windowed';
  const names = ['window_start', 'window_end', 'window_time'];
  const others = `COLUMNS(lambda c: lower(c) NOT IN (${names.map((column) => `'${column}'`).join(', ')}))`;
  const select = `${from.startsWith('(') ? ' AS input' : ''} SELECT ${others}, `;
  const columns = ` AS window_start, ${written(time)} AS window_end, ${written(time)} AS window_time`;
  const end = `)${aliased ? '' : ` AS ${name}`}`;
  const kept = [data, time, keys].filter((stretch) => stretch !== undefined);
  const texts = ['(FROM ', select, keys === undefined ? columns + end : `${columns} WHERE ROW(`, `) IS NULL${end}`];
  if (data === undefined || time === undefined || kept.some(({ start }, i) => start < (kept[i - 1]?.end ?? 0))) {
    const text = `(FROM ${from}${select}${written(time)}${columns}${end}`;
    return [{ start: call.start, end: call.end, text }];
  }
  return [...kept, { start: call.end, end: call.end }].map(({ start }, i) => ({
    start: kept[i - 1]?.end ?? call.start,
    end: start,
    text: texts[i] ?? '',
  }));
}

/** Where SESSION has its keys, if they come without their name. */
const SESSION_KEYS = 3;

/** What stands in `[a, b]`, if anything does. */
function insideList(text: string, list: CallArgument | undefined): Span | undefined {
  if (list === undefined) return undefined;
  const bracketed = text[list.start] === '[';
  const inside = { start: list.start + (bracketed ? 1 : 0), end: list.end - (bracketed ? 1 : 0) };
  return text.slice(inside.start, inside.end).trim() === '' ? undefined : inside;
}

/** Which version of a table is meant is the planner's business; DuckDB's binder knows one of each. */
function withoutVersions(text: MappedText): MappedText {
  const tokens = tokenize(text.text);
  const clauses = tokens.flatMap((token, i) => {
    const begins = ['AT', '(', 'TIMESTAMP', '=>'].every((key, k) => tokens[i + k]?.key === key);
    const close = begins ? tokens[closing(tokens, i + 1) ?? i] : undefined;
    return close === undefined ? [] : [{ start: token.span.start, end: close.span.end, text: '' }];
  });
  return clauses.length === 0 ? text : replaceSpans(text, clauses);
}

/**
 * TUMBLE_START, TUMBLE_END and their like all become the TUMBLE of the GROUP BY, so that the binder finds them grouped.
 * An unaliased one keeps no name of its own here; the planner names it.
 */
function plainGrouping(text: MappedText): MappedText {
  const tokens = tokenize(text.text);
  const calls = tokens.flatMap((token, i) => {
    const match = /^(TUMBLE|HOP|SESSION)_(START|END|ROWTIME|TIME|PROCTIME)$/.exec(token.key);
    const called = match !== null && tokens[i + 1]?.key === '(';
    return called ? [{ start: token.span.start, end: token.span.end, text: match[1] ?? '' }] : [];
  });
  return calls.length === 0 ? text : replaceSpans(text, calls);
}
