import { closes, closing, opens } from './brackets.ts';
import { isReserved, mayEndOperand } from './keywords.ts';
import { isName, synthetic } from './token-cursor.ts';
import type { Token } from './tokens.ts';

/**
 * Temporal joins: `r FOR SYSTEM_TIME AS OF o.ts AS d` becomes `r AS d AT (TIMESTAMP => o.ts)`, which DuckDB's parser keeps
 * in its tree.
 */
export function rewriteTemporal(tokens: readonly Token[]): readonly Token[] {
  const out: Token[] = [];
  for (let i = 0; i < tokens.length;) {
    const word = tokens[i];
    if (word === undefined) break;
    const from = afterAsOf(tokens, i);
    if (from === undefined) {
      out.push(word);
      i++;
      continue;
    }
    const end = endOfTime(tokens, from);
    const next = endOfAlias(tokens, end);
    const [time, alias] = [tokens.slice(from, end), tokens.slice(end, next)];
    const made = (text: string): Token => synthetic(text, word);
    const spaced = (text: string): Token => ({ ...made(text), gap: word.gap });
    out.push(...alias, spaced('AT'), spaced('('), made('TIMESTAMP'), spaced('=>'), ...time, made(')'));
    i = next;
  }
  return out;
}

/** Where the time begins, if FOR SYSTEM_TIME AS OF stands at `i`. */
function afterAsOf(tokens: readonly Token[], i: number): number | undefined {
  for (const words of [
    ['FOR', 'SYSTEM_TIME', 'AS', 'OF'],
    ['FOR', 'SYSTEM', 'TIME', 'AS', 'OF'],
  ]) {
    if (words.every((word, k) => tokens[i + k]?.key === word)) return i + words.length;
  }
  return undefined;
}

/** An expression ends at a word of the query's grammar, at a comma or bracket, or where an operand follows an operand. */
function endOfTime(tokens: readonly Token[], from: number): number {
  let operand = false;
  for (let i = from; i < tokens.length;) {
    const token = tokens[i];
    if (token === undefined || token.key === ',' || closes(token)) return i;
    const binary = binaryWords(tokens, i);
    if (opens(token)) {
      i = (closing(tokens, i) ?? tokens.length) + 1;
      operand = true;
    } else if (token.kind === 'operator' || (operand && binary > 0)) {
      i += Math.max(1, binary);
      operand = false;
    } else if (operand) {
      return i;
    } else if (token.key === 'CASE') {
      i = endOfCase(tokens, i);
      operand = true;
    } else if (token.kind !== 'word' || startsOperand(token.key) || tokens[i - 1]?.key === '.') {
      i += tokens[i + 1]?.kind === 'string' && TYPED_LITERALS.has(token.key) ? 2 : 1;
      operand = true;
    } else {
      return i;
    }
  }
  return tokens.length;
}

const TYPED_LITERALS: ReadonlySet<string> = new Set(['INTERVAL', 'TIMESTAMP', 'TIMESTAMPTZ', 'DATE']);

const startsOperand = (key: string): boolean => !isReserved(key) || key === 'CAST' || key === 'NULL';

/** How many words at `i` join two operands. */
function binaryWords(tokens: readonly Token[], i: number): number {
  if (tokens[i]?.key === 'AT' && tokens[i + 1]?.key === 'TIME' && tokens[i + 2]?.key === 'ZONE') return 3;
  return tokens[i]?.key === 'AND' || tokens[i]?.key === 'OR' ? 1 : 0;
}

function endOfCase(tokens: readonly Token[], from: number): number {
  let depth = 0;
  for (let i = from; i < tokens.length; i++) {
    if (tokens[i]?.key === 'CASE') depth++;
    else if (tokens[i]?.key === 'END' && --depth === 0) return i + 1;
  }
  return tokens.length;
}

/** `AS d`, `d`, with a list of column names or without. */
function endOfAlias(tokens: readonly Token[], from: number): number {
  const as = tokens[from]?.key === 'AS';
  const name = tokens[as ? from + 1 : from];
  if (name === undefined || !isName(name)) return from;
  if (!as && name.kind === 'word' && !mayEndOperand(name.key)) return from;
  const after = as ? from + 2 : from + 1;
  if (tokens[after]?.key !== '(') return after;
  return (closing(tokens, after) ?? after - 1) + 1;
}
