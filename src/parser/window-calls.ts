import type { Span } from '../base/errors.ts';
import { closing, opens, closes, splitArguments } from './brackets.ts';
import { WINDOW_FUNCTIONS } from './rewrite-windows.ts';
import type { MappedText } from './statements.ts';
import { isName } from './token-cursor.ts';
import { tokenize, type Token } from './tokens.ts';

/** An argument of a call: the stretch of its value, and its name where it is given by name. */
export interface CallArgument extends Span {
  readonly name: string | undefined;
}

/** A window function that stands where a table does. Offsets are of the mapped text. */
export interface WindowCall extends Span {
  readonly function: 'tumble' | 'hop' | 'session' | 'cumulate';
  readonly arguments: readonly CallArgument[];
}

/**
 * Every call of a window function in table position, in the order of their starts; one inside the arguments of another
 * follows it. In a select list or GROUP BY the same name is the grouping form and is not among them.
 */
export function findWindowCalls(mapped: MappedText): readonly WindowCall[] {
  const tokens = tokenize(mapped.text);
  const calls: WindowCall[] = [];
  const scopes: Scope[] = [{ inFrom: false, special: false }];
  tokens.forEach((token, i) => {
    const scope = scopes.at(-1) ?? { inFrom: false, special: false };
    const here = scope.inFrom && beginsTable(tokens[i - 1]);
    if (here && WINDOW_FUNCTIONS.has(token.key) && tokens[i + 1]?.key === '(') {
      const call = readCall(tokens, i);
      if (call !== undefined) calls.push(call);
    }
    if (opens(token)) {
      scopes.push({ inFrom: token.key === '(' && here, special: SPECIAL_CALLS.has(tokens[i - 1]?.key ?? '') });
    } else if (closes(token)) {
      if (scopes.length > 1) scopes.pop();
    } else if (token.key === 'FROM') {
      if (!scope.special && tokens[i - 1]?.key !== 'DISTINCT') scope.inFrom = true;
    } else if (ENDS_FROM.has(token.key)) {
      scope.inFrom = false;
    }
  });
  return calls;
}

interface Scope {
  /** Between FROM and the clause after it. */
  inFrom: boolean;
  /** Inside a call in which FROM separates arguments. */
  readonly special: boolean;
}

const SPECIAL_CALLS: ReadonlySet<string> = new Set(['EXTRACT', 'SUBSTRING', 'TRIM', 'OVERLAY']);
const ENDS_FROM: ReadonlySet<string> = new Set(
  'SELECT WHERE GROUP HAVING WINDOW QUALIFY ORDER LIMIT OFFSET FETCH UNION EXCEPT INTERSECT VALUES'.split(' '),
);

const beginsTable = (before: Token | undefined): boolean =>
  before !== undefined && ['FROM', 'JOIN', 'LATERAL', ',', '('].includes(before.key);

function readCall(tokens: readonly Token[], i: number): WindowCall | undefined {
  const name = tokens[i];
  const end = closing(tokens, i + 1);
  const close = end === undefined ? undefined : tokens[end];
  if (name === undefined || close === undefined) return undefined;
  return {
    function: name.key.toLowerCase() as WindowCall['function'],
    start: name.span.start,
    end: close.span.end,
    arguments: splitArguments(tokens.slice(i + 2, end)).map(({ tokens: all }) => argument(all, close)),
  };
}

function argument(tokens: readonly Token[], close: Token): CallArgument {
  const named = isName(tokens[0]) && (tokens[1]?.key === '=>' || tokens[1]?.key === ':=');
  const value = named ? tokens.slice(2) : tokens;
  const start = value[0]?.span.start ?? close.span.start;
  return { name: named ? tokens[0]?.value.toLowerCase() : undefined, start, end: value.at(-1)?.span.end ?? start };
}
