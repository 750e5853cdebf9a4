import { StreamsqlError, type Span } from '../base/errors.ts';
import { endOfInterval } from './rewrite-intervals.ts';
import type { Emit } from './statements.ts';
import { synthetic } from './token-cursor.ts';
import type { Token } from './tokens.ts';

/** What follows EMIT CHANGES or EMIT ON WINDOW CLOSE, or stands before it, each with its interval. */
export interface EmitOptions {
  readonly every: readonly Token[] | undefined;
  readonly allowedLateness: readonly Token[] | undefined;
  /** The index behind them. */
  readonly end: number;
}

interface Lateness {
  readonly interval: readonly Token[];
  readonly start: number;
  readonly end: number;
}

const EVERY_EXAMPLE = "EMIT EVERY INTERVAL '5 seconds'";
const LATENESS_EXAMPLE = "EMIT ON WINDOW CLOSE ALLOWED LATENESS INTERVAL '10 seconds'";

/** `EVERY interval`, `ALLOWED LATENESS interval` from index `at` on, where the phrase of `kind` ends. */
export function readEmitOptions(
  tokens: readonly Token[],
  at: number,
  kind: Emit['kind'],
  before: Lateness | undefined,
): EmitOptions {
  let end = at;
  let every: readonly Token[] | undefined;
  let late = before;
  for (;;) {
    const word = tokens[end];
    if (word?.key === 'EVERY') {
      if (kind === 'on-window-close') {
        throw new StreamsqlError(
          'SYNTAX',
          'EMIT ON WINDOW CLOSE takes no EVERY: a window is given once, at its close',
          {
            span: word.span,
            hint: `leave EVERY out, or write ${EVERY_EXAMPLE}`,
          },
        );
      }
      if (every !== undefined) throw twice('EVERY', word.span);
      every = interval(tokens, end + 1, 'EVERY', EVERY_EXAMPLE);
      end += 1 + lengthOf(tokens, end + 1);
      continue;
    }
    if (!seesLateness(tokens, end)) break;
    if (late !== undefined) throw twice('ALLOWED LATENESS', spanOf(tokens, end, end + 2));
    late = readLateness(tokens, end);
    end = late.end;
  }
  if (late !== undefined && kind !== 'on-window-close') {
    throw new StreamsqlError('SYNTAX', 'ALLOWED LATENESS goes with EMIT ON WINDOW CLOSE alone', {
      span: spanOf(tokens, late.start, late.end),
      hint: `write ${LATENESS_EXAMPLE}, or leave ALLOWED LATENESS out`,
    });
  }
  return { every, allowedLateness: late?.interval, end };
}

const seesLateness = (tokens: readonly Token[], i: number): boolean =>
  tokens[i]?.key === 'ALLOWED' && tokens[i + 1]?.key === 'LATENESS';

/** `ALLOWED LATENESS interval` that ends where EMIT stands, at index `emit`. */
export function latenessBefore(tokens: readonly Token[], emit: number): Lateness | undefined {
  const start = tokens.slice(0, emit).findLastIndex((_, i) => seesLateness(tokens, i));
  if (start === -1) return undefined;
  const found = start + 2 === emit || endOfInterval(tokens, start + 2) === emit;
  return found ? readLateness(tokens, start) : undefined;
}

/** Refuses the clause where no EMIT takes it up. Elsewhere ALLOWED and LATENESS are names like any other. */
export function refuseLateness(query: readonly Token[]): void {
  const at = query.findIndex((_, i) => seesLateness(query, i) && endOfInterval(query, i + 2) !== undefined);
  if (at === -1) return;
  throw new StreamsqlError('SYNTAX', 'ALLOWED LATENESS goes with EMIT ON WINDOW CLOSE, at the end of the query', {
    span: spanOf(query, at, readLateness(query, at).end),
    hint: `write ${LATENESS_EXAMPLE}`,
  });
}

/** `ALLOWED LATENESS interval` at the index of ALLOWED. */
function readLateness(tokens: readonly Token[], start: number): Lateness {
  const found = interval(tokens, start + 2, 'ALLOWED LATENESS', LATENESS_EXAMPLE);
  return { interval: found, start, end: start + 2 + lengthOf(tokens, start + 2) };
}

const lengthOf = (tokens: readonly Token[], at: number): number => (endOfInterval(tokens, at) ?? at) - at;

/** The interval literal at `at`, with the word INTERVAL before it. */
function interval(tokens: readonly Token[], at: number, word: string, example: string): readonly Token[] {
  const written = tokens.slice(at, at + lengthOf(tokens, at));
  const [first] = written;
  if (first !== undefined) return first.key === 'INTERVAL' ? written : [synthetic('INTERVAL', first), ...written];
  const end = tokens[at - 1]?.span.end ?? 0;
  throw new StreamsqlError('SYNTAX', `${word} takes a constant interval`, {
    span: tokens[at]?.span ?? { start: end, end },
    hint: `write ${example}`,
  });
}

function twice(word: string, span: Span): StreamsqlError {
  return new StreamsqlError('SYNTAX', `there is one ${word} already`, { span });
}

const spanOf = (tokens: readonly Token[], start: number, end: number): Span => ({
  start: tokens[start]?.span.start ?? 0,
  end: tokens[end - 1]?.span.end ?? tokens.at(-1)?.span.end ?? 0,
});
