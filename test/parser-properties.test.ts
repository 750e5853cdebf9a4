import fc from 'fast-check';
import { expect, test } from 'vitest';
import { StreamsqlError } from '../src/base/errors.ts';
import { parseScript } from '../src/parser/parse.ts';
import type { MappedText } from '../src/parser/statements.ts';
import { tokenize } from '../src/parser/tokens.ts';
import { toScript } from '../src/parser/locate.ts';

const name = fc.constantFrom('a', 'ts', 'été', '"a b"', '`c d`', '`e"f`', 't', 'window', '"q""r"', 'emit');
const gap = fc.constantFrom(' ', '\n', '  ', ' /* `x` */ ', ' -- INTERVAL 5 SECOND\n', '\u00A0', '\t');
const literal = fc.constantFrom("'x'", "'it''s 😀'", '1', '2.5', "E'\\''", '$$`y`$$', "'${V}'", '${V}');
const interval = fc.constantFrom(
  "INTERVAL '10' SECOND",
  "INTERVAL '1:30' MINUTE TO SECOND",
  "INTERVAL '5 minutes'",
  '5s',
  'INTERVAL 3 DAY',
);
const atom = fc.oneof(name, literal, interval);
const spaced = (parts: readonly fc.Arbitrary<string>[]): fc.Arbitrary<string> =>
  fc.tuple(...parts.flatMap((part) => [part, gap])).map((all) => all.join(''));
const word = (text: string): fc.Arbitrary<string> => fc.constant(text);
const expression = fc.oneof(
  atom,
  spaced([atom, word('+'), atom]),
  spaced([word('CAST('), atom, word('AS'), fc.constantFrom('STRING', 'ROW<x INT>', 'TIMESTAMP(3)'), word(')')]),
  spaced([word('MAP['), literal, word(','), atom, word(']')]),
);
const table = fc.oneof(
  name,
  spaced([word('TABLE(TUMBLE(TABLE'), name, word(', DESCRIPTOR('), name, word('),'), interval, word('))')]),
  spaced([
    word('SESSION(TABLE'),
    name,
    word('PARTITION BY'),
    name,
    word(', DESCRIPTOR('),
    name,
    word('),'),
    interval,
    word(')'),
  ]),
  spaced([name, word('FOR SYSTEM_TIME AS OF'), name, word('AS'), name]),
);
const query = spaced([
  word('SELECT'),
  expression,
  word(','),
  expression,
  word('FROM'),
  table,
  word('CROSS JOIN'),
  table,
  word('WHERE'),
  expression,
]);

function queryOf(script: string): MappedText {
  const variables = (): { value: string; secret: boolean } => ({ value: '42', secret: false });
  const statement = parseScript(script, 'a.sql', variables).statements.at(-1);
  if (statement?.kind !== 'select') throw new Error(`no SELECT: ${script}`);
  return statement.query.sql;
}

test('a token that survived the rewrite maps to the same token of the script', () => {
  fc.assert(
    fc.property(
      query,
      fc.constantFrom('', ' EMIT CHANGES', ' EMIT EVERY 5s', ' ALLOWED LATENESS 1 DAY EMIT ON WINDOW CLOSE'),
      (text, emit) => {
        const script = `SELECT 1; ${text}${emit}`;
        const mapped = queryOf(script);
        const written = new Map(tokenize(script).map((token) => [token.span.start, token]));
        let survivors = 0;
        for (const token of tokenize(mapped.text)) {
          const origin = toScript(mapped, token.span);
          const user = written.get(origin.start);
          expect(user, `${token.text} of ${mapped.text}`).toBeDefined();
          expect(origin.end).toBeLessThanOrEqual(mapped.span.end);
          if (user?.text !== token.text || user.span.end !== origin.end) continue;
          survivors++;
          for (let i = 0; i < token.text.length; i++) {
            expect(script[mapped.origin(token.span.start + i)]).toBe(token.text[i]);
          }
        }
        expect(survivors).toBeGreaterThanOrEqual(5);
        for (const [kept, count] of countsOf(['SELECT', 'FROM', 'WHERE', '+'], mapped.text)) {
          expect(count, kept).toBe(countsOf([kept], text)[0]?.[1]);
        }
      },
    ),
    { numRuns: 500 },
  );
});

function countsOf(keys: readonly string[], text: string): readonly (readonly [string, number])[] {
  const tokens = tokenize(text);
  return keys.map((key) => [key, tokens.filter((token) => token.key === key).length] as const);
}

test('rewriting is idempotent: DuckDB text stays as it is', () => {
  fc.assert(
    fc.property(query, (text) => {
      const once = queryOf(text).text;
      expect(queryOf(once).text).toBe(once);
    }),
    { numRuns: 300 },
  );
});

const soup = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ...'CREATE SOURCE STREAM TABLE VIEW MATERIALIZED SINK WITH AS SELECT FROM INSERT INTO SET DROP SHOW EXPLAIN IF NOT EXISTS'.split(
          ' ',
        ),
        ...'WATERMARK FOR METADATA EMIT CHANGES EVERY ALLOWED LATENESS PRIMARY KEY ENFORCED ON WINDOW CLOSE INTERVAL TO SECOND MINUTE CAST ROW ARRAY MAP TUMBLE DESCRIPTOR'.split(
          ' ',
        ),
        ...'PARTITION BY SYSTEM_TIME OF CASE END TIMESTAMP TIME ZONE VALUES EXPLAIN ANALYZE FORMAT JSON PROCTIME NULL'.split(
          ' ',
        ),
        ..."( ) [ ] { } < > , ; . = => :: - + * : ${V} ${ $ ? $1 /* */ -- ' \" ` E' $$".split(' '),
      ),
      atom,
      gap,
      fc.string({ maxLength: 3, unit: 'grapheme' }),
    ),
    { maxLength: 25 },
  )
  .map((parts) => parts.join(' '));

test('whatever the text, it is parsed or refused at a place inside of it', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        soup,
        soup.map((text) => `CREATE SOURCE s (${text}`),
        soup.map((text) => `SELECT ${text}`),
      ),
      (text) => {
        try {
          parseScript(text, 'a.sql', (variable) => (variable === 'V' ? { value: '1', secret: true } : undefined));
        } catch (error) {
          if (!(error instanceof StreamsqlError)) throw error;
          expect(error.code).toMatch(/^(SYNTAX|UNSUPPORTED)$/);
          expect(error.span).toBeDefined();
          expect(error.span?.start).toBeGreaterThanOrEqual(0);
          expect(error.span?.end).toBeLessThanOrEqual(text.length);
          expect(error.span?.start).toBeLessThanOrEqual(error.span?.end ?? -1);
        }
      },
    ),
    { numRuns: 3000 },
  );
});
