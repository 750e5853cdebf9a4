import type { WindowCall } from '../parser/window-calls.ts';
import { replaceSpans } from '../parser/mapped-text.ts';
import { tokenize } from '../parser/tokens.ts';
import { findWindowCalls } from '../parser/window-calls.ts';
import type { MappedText } from '../parser/statements.ts';

/** Words that may follow a table in FROM and are no alias of it. */
const NO_ALIAS =
  /^(?:join|inner|left|right|full|cross|natural|semi|anti|asof|positional|on|using|where|group|having|order|limit|offset|fetch|union|except|intersect|window|qualify|tablesample|emit|for)$/i;

/**
 * The user's text with each window call in FROM replaced by a subquery that has its columns, for DuckDB's binder; the
 * way back to the user's text is kept.
 */
export function bindText(text: MappedText): MappedText {
  let current = plainGrouping(text);
  for (;;) {
    const calls = findWindowCalls(current);
    const inner = calls.find(
      (call) => !calls.some((other) => other !== call && other.start >= call.start && other.end <= call.end),
    );
    if (inner === undefined) return current;
    current = replaceSpans(current, [{ start: inner.start, end: inner.end, text: subquery(current.text, inner) }]);
  }
}

function subquery(text: string, call: WindowCall): string {
  const argument = (name: string, position: number): string => {
    const found =
      call.arguments.find((candidate) => candidate.name?.toLowerCase() === name) ?? call.arguments[position];
    return found === undefined ? 'NULL' : text.slice(found.start, found.end).replace(/^\s*\w+\s*(?:=>|:=)\s*/, '');
  };
  const data = argument('data', 0).trim();
  const time = argument('timecol', 1).trim();
  const after = /^\s*(?:(as)\s+)?("(?:[^"]|"")*"|[a-z_]\w*)?/i.exec(text.slice(call.end));
  const aliased = after?.[1] !== undefined || (after?.[2] !== undefined && !NO_ALIAS.test(after[2]));
  const name = /^[\w".]+$/.test(data) ? (data.split('.').at(-1) ?? data) : 'windowed';
  const names = ['window_start', 'window_end', 'window_time'];
  const columns = names.map((column) => `${time} AS ${column}`);
  const others = `COLUMNS(lambda c: lower(c) NOT IN (${names.map((name) => `'${name}'`).join(', ')}))`;
  const from = data.startsWith('(') ? `${data} AS input` : data;
  return `(SELECT ${others}, ${columns.join(', ')} FROM ${from})${aliased ? '' : ` AS ${name}`}`;
}

/**
 * TUMBLE_START, TUMBLE_END and their like all become the TUMBLE of the GROUP BY, so that the binder finds them grouped.
 * An unaliased one keeps no name of its own here; the planner names it.
 */
function plainGrouping(text: MappedText): MappedText {
  const tokens = tokenize(text.text);
  const calls = tokens.flatMap((token, i) => {
    const match = /^(TUMBLE|HOP)_(START|END|ROWTIME|TIME)$/.exec(token.key);
    const called = match !== null && tokens[i + 1]?.key === '(';
    return called ? [{ start: token.span.start, end: token.span.end, text: match[1] ?? '' }] : [];
  });
  return calls.length === 0 ? text : replaceSpans(text, calls);
}
