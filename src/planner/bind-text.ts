import type { WindowCall } from '../parser/window-calls.ts';
import { replaceSpans } from '../parser/mapped-text.ts';
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
  let current = text;
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
  const columns = ['window_start', 'window_end', 'window_time'].map((column) => `${time} AS ${column}`);
  const from = data.startsWith('(') ? `${data} AS input` : data;
  return `(SELECT *, ${columns.join(', ')} FROM ${from})${aliased ? '' : ` AS ${name}`}`;
}
