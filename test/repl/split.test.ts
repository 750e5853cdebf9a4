import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isBlank, splitStatements } from '../../src/repl/split.ts';

it.each([
  ['SELECT 1;', ['SELECT 1'], ''],
  ['SELECT 1; SELECT', ['SELECT 1'], ' SELECT'],
  [`SELECT ';', ";", 'it''s;' FROM t;`, [`SELECT ';', ";", 'it''s;' FROM t`], ''],
  ['SELECT 1 -- not; here\n;', ['SELECT 1 -- not; here\n'], ''],
  ['SELECT /* ; */ 1;', ['SELECT /* ; */ 1'], ''],
  ['SELECT $$a;b$$, $x$;$$;$x$;', ['SELECT $$a;b$$, $x$;$$;$x$'], ''],
  [`SELECT E'it\\'s; it', e'\\\\';2;`, [`SELECT E'it\\'s; it', e'\\\\'`, '2'], ''],
  ['SELECT a$b$;c$b$;', ['SELECT a$b$', 'c$b$'], ''],
  ['/* a /* ; */ ; */ 1;', ['/* a /* ; */ ; */ 1'], ''],
  ["SELECT ${A:-it's;};1", ["SELECT ${A:-it's;}"], '1'],
  [`SELECT 'open; and on`, [], `SELECT 'open; and on`],
  [';;  ; -- nothing\n;', [], ''],
  ['SELECT 1; -- said; after', ['SELECT 1'], ' -- said; after'],
])('%j', (text, whole, rest) => expect(splitStatements(text)).toEqual({ whole, rest }));

it('what comes in pieces is cut as the whole would be', () => {
  const piece = fc.constantFrom("'", '"', ';', '--', '\n', '/*', '*/', '$$', 'a', ' ', '$x$', '`');
  fc.assert(
    fc.property(fc.array(piece), fc.nat(), (pieces, at) => {
      const [text, cut] = [pieces.join(''), pieces.slice(0, at % (pieces.length + 1)).join('').length];
      const first = splitStatements(text.slice(0, cut));
      const second = splitStatements(first.rest + text.slice(cut));
      // A cut within `--`, `/*` or a dollar quote may make another text of it, so the pieces are never cut within.
      expect([...first.whole, ...second.whole]).toEqual(splitStatements(text).whole);
    }),
  );
});

it('comments alone are nothing', () => {
  expect(isBlank(' -- a;\n /* b */ \n')).toBe(true);
  expect(isBlank(' -- a\n 1')).toBe(false);
});
