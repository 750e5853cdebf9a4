import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { raw } from '../src/base/sql.ts';
import { Duck, type DuckConnection } from '../src/exec/duck.ts';
import { fromBytes, fromCodePoints, toScript } from '../src/parser/locate.ts';
import { plainText, replaceSpans } from '../src/parser/mapped-text.ts';
import { parseScript } from '../src/parser/parse.ts';
import type { MappedText } from '../src/parser/statements.ts';
import { findWindowCalls } from '../src/parser/window-calls.ts';

let duck: Duck;
let connection: DuckConnection;
beforeAll(async () => {
  duck = await Duck.open(':memory:');
  connection = await duck.connect();
  await connection.run(raw('SET errors_as_json = true'));
  await connection.run(raw('CREATE TABLE bids (auction BIGINT, price BIGINT)'));
});
afterAll(() => {
  connection.close();
  duck.close();
});

function lastQuery(text: string): MappedText {
  const statement = parseScript(text, 'a.sql').statements.at(-1);
  if (statement?.kind !== 'select') throw new Error('no SELECT');
  return statement.query.sql;
}

async function failure(query: string): Promise<{ readonly exception_type: string; readonly position: string }> {
  try {
    await connection.run(raw(query));
  } catch (error) {
    const { message } = error as Error;
    return JSON.parse(message.slice(message.indexOf('{'))) as { exception_type: string; position: string };
  }
  throw new Error(`did not fail: ${query}`);
}

/** Scripts that DuckDB refuses, and the part of them that the caret belongs under. */
const WRONG: readonly (readonly [script: string, at: string])[] = [
  ["SELECT '😀é', pirce FROM bids", 'pirce'],
  ["SELECT '😀é' AS `ä`, `pirce` FROM bids", '`pirce`'],
  ["SELECT 1; SELECT INTERVAL '1:30' MINUTE TO SECOND, b.pirce FROM bids b EMIT CHANGES", 'b.pirce'],
  ["SELECT '😀', nosuch(price) FROM bids", 'nosuch'],
  ["SELECT '😀' FROM `no such`", '`no such`'],
  ["SELECT INTERVAL '10' SECOND + price, 1 FROM bids WHERE pirce", 'pirce'],
  ["SELECT '😀é' FROM bids WHERE WHERE", 'WHERE'],
  ["SELECT '😀é', `a` `b` `c` FROM bids", '`c`'],
  ["SELECT '😀é' AS x, FROM FROM bids", 'FROM'],
];

test.each(WRONG)('%s', async (script, at) => {
  const query = lastQuery(script);
  const { exception_type: type, position } = await failure(query.text);
  const locate = type === 'Parser' ? fromCodePoints : fromBytes;
  const span = locate(query, Number(position));
  expect(script.slice(span.start, span.end)).toBe(at);
  expect(span.start).toBe(script.lastIndexOf(at));
});

test('behind the end of a query is the end of the query', () => {
  const script = 'SELECT 1 EMIT CHANGES ; SELECT a FROM t  EMIT CHANGES';
  const query = lastQuery(script);
  expect(fromCodePoints(query, query.text.length)).toEqual({ start: 39, end: 39 });
});

test('a text that is longer or shorter than its origin maps from first to last', () => {
  const script = "SELECT INTERVAL '1:30' MINUTE TO SECOND, 5s";
  const query = lastQuery(script);
  const at = (text: string): string => {
    const start = query.text.indexOf(text);
    const span = toScript(query, { start, end: start + text.length });
    return script.slice(span.start, span.end);
  };
  expect(at("'1 MINUTE 30 SECOND'")).toBe("'1:30' MINUTE TO SECOND");
  expect(at("'5s'")).toBe('5s');
  expect(at('SELECT')).toBe('SELECT');
});

describe('replaceSpans', () => {
  const script = 'SELECT `a b` FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), 5s)) x JOIN `u v` ON x.a = `u v`.a';

  test('replaces window calls by what is bound in their place, and still points into the script', () => {
    const query = lastQuery(script);
    const [call] = findWindowCalls(query);
    const table = query.text.indexOf('"u v"');
    const bound = replaceSpans(query, [
      { start: table, end: table + 5, text: 'u' },
      { start: call?.start ?? 0, end: call?.end ?? 0, text: '(SELECT *, ts AS window_start FROM t)' },
    ]);
    expect(bound.text).toBe('SELECT "a b" FROM (SELECT *, ts AS window_start FROM t) x JOIN u ON x.a = "u v".a');
    const at = (text: string): string => {
      const span = fromBytes(bound, bound.text.lastIndexOf(text));
      return script.slice(span.start, span.end);
    };
    expect(at('"a b"')).toBe('`a b`');
    expect(at('"u v".a')).toBe('`u v`.a');
    expect(at('x.a')).toBe('x.a');
    expect(at('u ON')).toBe('`');
    const whole = toScript(bound, { start: bound.text.indexOf('(SELECT'), end: bound.text.indexOf(' x JOIN') });
    expect(script.slice(whole.start, whole.end)).toBe('TUMBLE(TABLE t, DESCRIPTOR(ts), 5s)');
    expect(bound.origin(bound.text.length)).toBe(script.length);
  });

  test('refuses stretches that overlap', () => {
    const twice = [
      { start: 0, end: 3, text: 'x' },
      { start: 2, end: 4, text: 'y' },
    ];
    expect(() => replaceSpans(plainText('abcdef'), twice)).toThrow('replacements overlap at 2');
  });
});

/** Queries in which the calls that stand where a table does are marked with «». */
const CALLS: readonly string[] = [
  'SELECT * FROM «TUMBLE(t, ts, 1)»',
  'SELECT * FROM a, «HOP(b, ts, 1, 2)» h, c',
  'SELECT * FROM a JOIN «TUMBLE(b, ts, 1)» x ON a.i = x.i, «session(c, ts, 1)»',
  'SELECT * FROM (a JOIN «CUMULATE(b, ts, 1, 2)» x USING (i))',
  'SELECT * FROM («TUMBLE(t, ts, 1)» JOIN b ON TUMBLE(b.i, 2) = 1)',
  'SELECT * FROM «TUMBLE((SELECT * FROM «HOP(t, ts, 1, 2)»), ts, 1)»',
  'FROM «TUMBLE(t, ts, 1)» SELECT TUMBLE(ts, 1), HOP(ts, 1, 2) GROUP BY a, TUMBLE(ts, 1)',
  'SELECT TUMBLE(ts, 1), a FROM t WHERE TUMBLE(ts, 1) > 0 GROUP BY a, TUMBLE(ts, 1) ORDER BY a, HOP(ts, 1, 2)',
  'SELECT EXTRACT(DAY FROM TUMBLE(ts, 1)), substring(a FROM HOP(b, 1, 2)) FROM «TUMBLE(t, ts, 1)»',
  'SELECT a IS DISTINCT FROM TUMBLE(ts, 1), HOP(ts, 1, 2) FROM t',
  'SELECT a FROM t WHERE a IN (SELECT b FROM «TUMBLE(t, ts, 1)») AND f(a, TUMBLE(ts, 1))',
  'WITH w AS (SELECT * FROM «TUMBLE(t, ts, 1)») SELECT a, HOP(ts, 1, 2) FROM w UNION ALL SELECT b, TUMBLE(ts, 1) FROM «HOP(u, ts, 1, 2)»',
  "SELECT 'FROM TUMBLE(t)' /* FROM TUMBLE(t) */ FROM tumble, hop AS h",
  'SELECT * FROM t JOIN LATERAL «TUMBLE(u, ts, 1)» ON true',
];

test.each(CALLS)('%s', (marked) => {
  const text = marked.replaceAll(/[«»]/g, '');
  const calls = findWindowCalls(plainText(text));
  let again = text;
  const marks = calls.flatMap(({ start, end }) => [[start, '«'] as const, [end, '»'] as const]);
  for (const [at, mark] of marks.sort((a, b) => b[0] - a[0])) again = again.slice(0, at) + mark + again.slice(at);
  expect(again).toBe(marked);
});

test('the arguments of a call, by position and by name', () => {
  const text = 'SELECT * FROM HOP(DATA => (SELECT a, b FROM t), "timecol" => x.ts, slide := f(1, 2), [p, q])';
  const [call] = findWindowCalls(plainText(text));
  expect(call?.function).toBe('hop');
  expect(call?.arguments.map(({ name, start, end }) => [name, text.slice(start, end)])).toEqual([
    ['data', '(SELECT a, b FROM t)'],
    ['timecol', 'x.ts'],
    ['slide', 'f(1, 2)'],
    [undefined, '[p, q]'],
  ]);
});
