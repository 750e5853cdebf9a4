import { StreamsqlError, type Span } from '../base/errors.ts';
import { nearest } from '../base/options.ts';
import { withDepth } from './brackets.ts';
import { latenessBefore, readEmitOptions, refuseLateness } from './emit-options.ts';
import { isReserved, mayEndOperand } from './keywords.ts';
import type { Emit } from './statements.ts';
import type { Token } from './tokens.ts';

type Kind = Emit['kind'] | 'unsupported';

interface Phrase {
  readonly words: readonly string[];
  readonly kind: Kind;
  readonly hint?: string;
}

const PHRASES: readonly Phrase[] = [
  { words: ['CHANGES'], kind: 'changes' },
  { words: ['ON', 'WINDOW', 'CLOSE'], kind: 'on-window-close' },
  { words: ['AFTER', 'WATERMARK'], kind: 'on-window-close' },
  { words: ['FINAL'], kind: 'on-window-close' },
  { words: ['PERIODIC'], kind: 'unsupported', hint: "write EMIT EVERY INTERVAL '5 seconds'" },
  { words: ['STREAM'], kind: 'unsupported' },
  { words: ['AFTER'], kind: 'unsupported' },
  { words: ['ON', 'UPDATE'], kind: 'unsupported', hint: 'write EMIT CHANGES' },
  { words: ['LAST'], kind: 'unsupported' },
];
/** `EMIT EVERY …` is `EMIT CHANGES EVERY …`; its EVERY is read with what follows the other phrases. */
const EVERY: Phrase = { words: [], kind: 'changes' };
const KNOWN = ['CHANGES', 'ON', 'AFTER', 'FINAL', 'EVERY'];
const HINT = 'write EMIT CHANGES or EMIT ON WINDOW CLOSE at the end of the query';

/** EMIT with its intervals still as the user's tokens. */
export interface LiftedEmit {
  readonly kind: Emit['kind'];
  readonly span: Span;
  readonly every: readonly Token[] | undefined;
  readonly allowedLateness: readonly Token[] | undefined;
}

export interface Lifted {
  readonly query: readonly Token[];
  readonly emit: LiftedEmit | undefined;
}

/**
 * Takes EMIT off a query. DuckDB would read a bare EMIT as an alias, so it is one here only after AS or in quotes. A LIMIT
 * may follow, as ksqlDB has it.
 */
export function liftEmit(tokens: readonly Token[]): Lifted {
  let lifted: Lifted = { query: tokens, emit: undefined };
  withDepth(tokens).forEach(({ token, depth }, i) => {
    if (token.key !== 'EMIT') return;
    const phrase = phraseAt(tokens, i + 1);
    const late = latenessBefore(tokens, i);
    const start = late?.start ?? i;
    if (!followsOperand(tokens, start, phrase !== undefined)) return;
    if (phrase === undefined) {
      refuseHalf(tokens, i);
      return;
    }
    const phraseEnd = i + 1 + phrase.words.length;
    const { kind } = phrase;
    if (kind === 'unsupported') {
      throw new StreamsqlError('UNSUPPORTED', `EMIT ${phrase.words.join(' ')} is not supported`, {
        span: spanBetween(tokens, i, phraseEnd),
        hint: phrase.hint ?? HINT,
      });
    }
    const { every, allowedLateness, end } = readEmitOptions(tokens, phraseEnd, kind, late);
    const span = spanBetween(tokens, start, end);
    if (depth > 0 || lifted.emit !== undefined) {
      const message = 'EMIT belongs to the whole query, once, at its end';
      throw new StreamsqlError('SYNTAX', message, { span, hint: HINT });
    }
    const next = tokens[end];
    if (next !== undefined && next.key !== 'LIMIT') {
      throw new StreamsqlError('SYNTAX', `EMIT ends the query, but ${next.text} follows`, {
        span: next.span,
        hint: HINT,
      });
    }
    lifted = {
      query: [...tokens.slice(0, start), ...tokens.slice(end)],
      emit: { kind, span, every, allowedLateness },
    };
  });
  refuseLateness(lifted.query);
  return lifted;
}

function phraseAt(tokens: readonly Token[], at: number): Phrase | undefined {
  if (tokens[at]?.key === 'EVERY') return EVERY;
  return PHRASES.find(({ words }) => words.every((word, k) => tokens[at + k]?.key === word));
}

const spanBetween = (tokens: readonly Token[], start: number, end: number): Span => ({
  start: tokens[start]?.span.start ?? 0,
  end: tokens[end - 1]?.span.end ?? 0,
});

/** EMIT where nothing of the kind may follow, or with a word that is nearly right. */
function refuseHalf(tokens: readonly Token[], i: number): void {
  const emit = tokens[i];
  const next = tokens[i + 1];
  if (emit === undefined) return;
  if (next === undefined) {
    throw new StreamsqlError('SYNTAX', 'EMIT what?', { span: emit.span, hint: `${HINT}; as a name, write "emit"` });
  }
  if (next.kind !== 'word' || (!mayEndOperand(next.key) && next.key !== 'ON')) return;
  const last = next.key === 'ON' ? endOfOnPhrase(tokens, i + 2) : next;
  if (last === undefined || (next.key !== 'ON' && nearest(next.text, KNOWN) === undefined)) return;
  const written = tokens.slice(i + 1, tokens.indexOf(last) + 1).map((token) => token.text);
  const span = { start: emit.span.start, end: last.span.end };
  throw new StreamsqlError('SYNTAX', `there is no EMIT ${written.join(' ')}`, { span, hint: HINT });
}

/** The last word of what looks like ON WINDOW CLOSE; not of the ON of a join, where EMIT is an alias. */
function endOfOnPhrase(tokens: readonly Token[], at: number): Token | undefined {
  const [window, close] = [tokens[at], tokens[at + 1]];
  if (window?.kind !== 'word' || nearest(window.text, ['WINDOW']) === undefined) return undefined;
  if (close === undefined) return window;
  return close.kind === 'word' && mayEndOperand(close.key) ? close : undefined;
}

/**
 * Whether an operand ends before `i`, so that what follows is a clause or an alias, not a name of its own. Before a whole
 * phrase more words can only be operands: `GROUP BY left EMIT CHANGES`.
 */
function followsOperand(tokens: readonly Token[], i: number, wholePhrase: boolean): boolean {
  const [before, earlier] = [tokens[i - 1], tokens[i - 2]?.key ?? ''];
  if (before === undefined) return false;
  if (before.key === '*') return ['SELECT', ',', '.', '(', 'DISTINCT'].includes(earlier);
  if (before.kind === 'operator') return [')', ']', '}'].includes(before.key);
  if (before.kind !== 'word' || mayEndOperand(before.key) || earlier === 'AS' || earlier === '.') return true;
  return wholePhrase && !isReserved(before.key) && before.key !== 'JOIN' && before.key !== 'BY';
}
