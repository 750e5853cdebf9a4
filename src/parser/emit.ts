import { StreamsqlError } from '../base/errors.ts';
import { nearest } from '../base/options.ts';
import { withDepth } from './brackets.ts';
import { isReserved, mayEndOperand } from './keywords.ts';
import type { Emit } from './statements.ts';
import type { Token } from './tokens.ts';

type Kind = Emit['kind'] | 'unsupported';

const PHRASES: readonly { readonly words: readonly string[]; readonly kind: Kind }[] = [
  { words: ['CHANGES'], kind: 'changes' },
  { words: ['ON', 'WINDOW', 'CLOSE'], kind: 'on-window-close' },
  { words: ['AFTER', 'WATERMARK'], kind: 'on-window-close' },
  { words: ['FINAL'], kind: 'on-window-close' },
  { words: ['EVERY'], kind: 'unsupported' },
  { words: ['PERIODIC'], kind: 'unsupported' },
  { words: ['STREAM'], kind: 'unsupported' },
  { words: ['AFTER'], kind: 'unsupported' },
  { words: ['ON', 'UPDATE'], kind: 'unsupported' },
  { words: ['LAST'], kind: 'unsupported' },
];
const KNOWN = ['CHANGES', 'ON', 'AFTER', 'FINAL', 'EVERY'];
const HINT = 'write EMIT CHANGES or EMIT ON WINDOW CLOSE at the end of the query';

export interface Lifted {
  readonly query: readonly Token[];
  readonly emit: Emit | undefined;
}

/**
 * Takes EMIT off a query. DuckDB would read a bare EMIT as an alias, so it is one here only after AS or in quotes. A LIMIT
 * may follow, as ksqlDB has it.
 */
export function liftEmit(tokens: readonly Token[]): Lifted {
  let lifted: Lifted = { query: tokens, emit: undefined };
  withDepth(tokens).forEach(({ token, depth }, i) => {
    if (token.key !== 'EMIT') return;
    const phrase = PHRASES.find(({ words }) => words.every((word, k) => tokens[i + 1 + k]?.key === word));
    if (!followsOperand(tokens, i, phrase !== undefined)) return;
    if (phrase === undefined) {
      refuseHalf(tokens, i);
      return;
    }
    const end = i + 1 + phrase.words.length;
    const span = { start: token.span.start, end: tokens[end - 1]?.span.end ?? token.span.end };
    const next = tokens[end]?.key;
    if (phrase.kind === 'unsupported') {
      const written = `EMIT ${phrase.words.join(' ')}`;
      throw new StreamsqlError('UNSUPPORTED', `${written} is not supported`, { span, hint: HINT });
    }
    if (depth > 0 || lifted.emit !== undefined) {
      const message = 'EMIT belongs to the whole query, once, at its end';
      throw new StreamsqlError('SYNTAX', message, { span, hint: HINT });
    }
    if (next !== undefined && next !== 'LIMIT') {
      throw new StreamsqlError('SYNTAX', `EMIT ends the query, but ${tokens[end]?.text} follows`, {
        span: tokens[end]?.span,
        hint: HINT,
      });
    }
    lifted = { query: [...tokens.slice(0, i), ...tokens.slice(end)], emit: { kind: phrase.kind, span } };
  });
  return lifted;
}

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
