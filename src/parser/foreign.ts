import { StreamsqlError } from '../base/errors.ts';
import type { Token } from './tokens.ts';

interface Foreign {
  /** Words in a row; a kind in angle brackets stands for any token of that kind. */
  readonly words: readonly string[];
  readonly message: string;
  readonly hint: string;
}

/** Constructs of other engines that DuckDB's parser would take for something else, or refuse without a useful word. */
const FOREIGN: readonly Foreign[] = [
  {
    words: ['MATCH_RECOGNIZE', '('],
    message: 'MATCH_RECOGNIZE is not supported',
    hint: 'join the stream with itself inside a time bound instead',
  },
  ...['TUMBLING', 'HOPPING', 'SESSION'].map((shape) => ({
    words: ['WINDOW', shape, '('],
    message: `WINDOW ${shape} (…) is not supported`,
    hint: "write FROM TUMBLE(t, ts, INTERVAL '10 seconds') or FROM HOP(t, ts, slide, size)",
  })),
  ...['<number>', '('].map((next) => ({
    words: ['WITHIN', next],
    message: 'joins WITHIN a time are not supported in this spelling',
    hint: "bound the time in the condition: ON … AND a.ts BETWEEN b.ts - INTERVAL '1 hour' AND b.ts",
  })),
];

/** Refuses what other engines have and this one has not, before any of it is taken for something else. */
export function checkForeign(tokens: readonly Token[]): void {
  tokens.forEach((token, i) => {
    if (token.kind === 'parameter') {
      throw new StreamsqlError('UNSUPPORTED', 'a statement here takes no parameters', {
        span: token.span,
        hint: "use a variable: '${NAME}'",
      });
    }
    for (const { words, message, hint } of FOREIGN) {
      if (!words.every((word, k) => matches(tokens[i + k], word))) continue;
      const span = { start: token.span.start, end: tokens[i + words.length - 1]?.span.end ?? token.span.end };
      throw new StreamsqlError('UNSUPPORTED', message, { span, hint });
    }
  });
}

const matches = (token: Token | undefined, word: string): boolean =>
  token !== undefined && (token.key === word || `<${token.kind}>` === word);

/** Refuses OPTIONS hints, which other engines take from a comment and which changes what a source gives. */
export function checkHints(script: string, tokens: readonly Token[]): void {
  const tail = { start: tokens.at(-1)?.span.end ?? 0, end: script.length };
  for (const { start, end } of [...tokens.map((token) => token.gap), tail]) {
    const hint = /\/\*\+\s*OPTIONS\b/i.exec(script.slice(start, end));
    if (hint === null) continue;
    throw new StreamsqlError('UNSUPPORTED', 'OPTIONS hints are not supported', {
      span: { start: start + hint.index, end: start + hint.index + hint[0].length },
      hint: 'put the options into the WITH clause of the source',
    });
  }
}
