import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { raw, sql } from '../src/base/sql.ts';
import { Duck, type DuckConnection } from '../src/exec/duck.ts';
import { isReserved } from '../src/parser/keywords.ts';
import { parseScript } from '../src/parser/parse.ts';
import type { ColumnDefinition, Emit, MappedText } from '../src/parser/statements.ts';

let duck: Duck;
let connection: DuckConnection;
beforeAll(async () => {
  duck = await Duck.open(':memory:');
  connection = await duck.connect();
});
afterAll(() => {
  connection.close();
  duck.close();
});

function queryOf(text: string): { readonly sql: MappedText; readonly emit: Emit | undefined } {
  const [statement] = parseScript(text, 'a.sql').statements;
  if (statement?.kind !== 'select') throw new Error(`no SELECT: ${text}`);
  return statement.query;
}

function columnsOf(columns: string): readonly ColumnDefinition[] {
  const [statement] = parseScript(`CREATE SOURCE s (${columns}) WITH (connector = 'x')`, 'a.sql').statements;
  if (statement?.kind !== 'create-source') throw new Error(`no source: ${columns}`);
  return statement.columns;
}

async function parseError(query: string): Promise<string | undefined> {
  const tree = await connection.call(raw('SELECT json_serialize_sql(?::VARCHAR)'), query);
  return (JSON.parse(tree) as { error_message?: string }).error_message;
}

/** What the user writes, and what DuckDB gets; every one parses in DuckDB. */
const REWRITES: Readonly<Record<string, readonly (readonly [from: string, to: string])[]>> = {
  backticks: [
    ['SELECT `a`, `b c`, `d``e`, `f"g` FROM `t`', 'SELECT "a", "b c", "d`e", "f""g" FROM "t"'],
    ["SELECT '`a`', \"`b`\", $$`c`$$ /* `d` */ -- `e`\nFROM t", "SELECT '`a`', \"`b`\", $$`c`$$ /* `d` */ -- `e`\nFROM t"],
  ],
  'window functions': [
    ["SELECT * FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND)) AS w",
     "SELECT * FROM TUMBLE(t, ts, INTERVAL '10 SECOND') AS w"],
    ['SELECT * FROM TABLE( HOP( TABLE `a b` , DESCRIPTOR( `ts` ) , 2s , 10s ) )',
     "SELECT * FROM HOP( \"a b\" , \"ts\" , INTERVAL '2s' , INTERVAL '10s' )"],
    ["SELECT * FROM TABLE(TUMBLE(DATA => TABLE t, TIMECOL => DESCRIPTOR(ts), SIZE => INTERVAL '1' DAY, OFFSET => INTERVAL '1' HOUR))",
     "SELECT * FROM TUMBLE(DATA => t, TIMECOL => ts, SIZE => INTERVAL '1 DAY', \"OFFSET\" => INTERVAL '1 HOUR')"],
    ['SELECT * FROM TABLE(SESSION(TABLE t PARTITION BY a, b, DESCRIPTOR(ts), 5m))',
     "SELECT * FROM SESSION(t, ts, INTERVAL '5m', partition_by => [a, b])"],
    ['SELECT * FROM SESSION(t PARTITION BY (`a`, b.c), ts, 5m)',
     "SELECT * FROM SESSION(t, ts, INTERVAL '5m', partition_by => [\"a\", b.c])"],
    ['SELECT * FROM SESSION(t PARTITION BY a, ts, 5m)',
     "SELECT * FROM SESSION(t, ts, INTERVAL '5m', partition_by => [a])"],
    ['SELECT * FROM TABLE(SESSION(DATA => TABLE t PARTITION BY a, TIMECOL => DESCRIPTOR(ts), GAP => 5m))',
     "SELECT * FROM SESSION(DATA => t, TIMECOL => ts, GAP => INTERVAL '5m', partition_by => [a])"],
    ['SELECT * FROM TUMBLE((SELECT * FROM TABLE(HOP(TABLE t, DESCRIPTOR(a), 1s, 2s))), b, 4s)',
     "SELECT * FROM TUMBLE((SELECT * FROM HOP(t, a, INTERVAL '1s', INTERVAL '2s')), b, INTERVAL '4s')"],
    ["SELECT TUMBLE_START(ts, INTERVAL '1' HOUR) FROM t GROUP BY TUMBLE(ts, INTERVAL '1' HOUR)",
     "SELECT TUMBLE_START(ts, INTERVAL '1 HOUR') FROM t GROUP BY TUMBLE(ts, INTERVAL '1 HOUR')"],
  ],
  'other table functions': [
    ['SELECT * FROM a, LATERAL TABLE(f(b)) AS t(x)', 'SELECT * FROM a, LATERAL f(b) AS t(x)'],
    ['SELECT * FROM TABLE(f(b))', 'SELECT * FROM f(b)'],
    ['SELECT * FROM (TABLE t)', 'SELECT * FROM (TABLE t)'],
    ['SELECT * FROM t WHERE a IN (TABLE u)', 'SELECT * FROM t WHERE a IN (TABLE u)'],
  ],
  'temporal joins': [
    ['SELECT 1 FROM o JOIN r FOR SYSTEM_TIME AS OF o.ts AS d ON o.a = d.a', 'SELECT 1 FROM o JOIN r AS d AT (TIMESTAMP => o.ts) ON o.a = d.a'],
    ['SELECT 1 FROM o LEFT JOIN r FOR SYSTEM_TIME AS OF o.ts d USING (a)', 'SELECT 1 FROM o LEFT JOIN r d AT (TIMESTAMP => o.ts) USING (a)'],
    ['SELECT 1 FROM o JOIN r FOR SYSTEM_TIME AS OF o.ts ON true', 'SELECT 1 FROM o JOIN r AT (TIMESTAMP => o.ts) ON true'],
    ['SELECT 1 FROM o JOIN r AS d FOR SYSTEM_TIME AS OF o.ts ON true', 'SELECT 1 FROM o JOIN r AS d AT (TIMESTAMP => o.ts) ON true'],
    ["SELECT 1 FROM o JOIN r FOR SYSTEM_TIME AS OF o.`ts` - INTERVAL '1' HOUR AS d (x, y) ON true",
     "SELECT 1 FROM o JOIN r AS d (x, y) AT (TIMESTAMP => o.\"ts\" - INTERVAL '1 HOUR') ON true"],
    ['SELECT 1 FROM o JOIN r FOR SYSTEM_TIME AS OF CASE WHEN a THEN b ELSE c END d ON true',
     'SELECT 1 FROM o JOIN r d AT (TIMESTAMP => CASE WHEN a THEN b ELSE c END) ON true'],
    ["SELECT 1 FROM r FOR SYSTEM_TIME AS OF TIMESTAMP '2024-01-01' WHERE a", "SELECT 1 FROM r AT (TIMESTAMP => TIMESTAMP '2024-01-01') WHERE a"],
    ["SELECT 1 FROM o JOIN r FOR SYSTEM_TIME AS OF CAST(o.at AS TIMESTAMP) AT TIME ZONE 'UTC' d ON true",
     "SELECT 1 FROM o JOIN r d AT (TIMESTAMP => CAST(o.at AS TIMESTAMP) AT TIME ZONE 'UTC') ON true"],
    ['SELECT 1 FROM o JOIN r FOR SYSTEM_TIME AS OF o.left + l[1] LEFT JOIN s ON true ON true', 'SELECT 1 FROM o JOIN r AT (TIMESTAMP => o.left + l[1]) LEFT JOIN s ON true ON true'],
    ['SELECT 1 FROM o JOIN r FOR SYSTEM TIME AS OF o.at AS d ON true', 'SELECT 1 FROM o JOIN r AS d AT (TIMESTAMP => o.at) ON true'],
    ['SELECT 1 FROM r FOR SYSTEM_TIME AS OF PROCTIME(), s', 'SELECT 1 FROM r AT (TIMESTAMP => PROCTIME()), s'],
    ['SELECT 1 FROM (SELECT 2 FROM r FOR SYSTEM_TIME AS OF a::TIMESTAMP)', 'SELECT 1 FROM (SELECT 2 FROM r AT (TIMESTAMP => a::TIMESTAMP))'],
  ],
  'window as a name': [
    ['SELECT window.start, max(x) window FROM t GROUP BY window', 'SELECT "window".start, max(x) "window" FROM t GROUP BY "window"'],
    ['SELECT t.window AS Window FROM t', 'SELECT t."window" AS "Window" FROM t'],
    ['SELECT sum(a) OVER w FROM t WINDOW w AS (ORDER BY b)', 'SELECT sum(a) OVER w FROM t WINDOW w AS (ORDER BY b)'],
    ['SELECT sum(a) OVER window FROM t WINDOW window AS (ORDER BY b)', 'SELECT sum(a) OVER "window" FROM t WINDOW "window" AS (ORDER BY b)'],
  ],
  types: [
    ['SELECT CAST(a AS ROW<b INT, `c d` ARRAY<STRING>>), d::TIMESTAMP(3)', 'SELECT CAST(a AS STRUCT(b INT, "c d" VARCHAR[])), d::TIMESTAMP'],
    ['SELECT TRY_CAST(f(a, b) AS MAP<STRING, BYTES>), (x)::TIMESTAMP_LTZ(3)', 'SELECT TRY_CAST(f(a, b) AS MAP(VARCHAR, BLOB)), (x)::TIMESTAMPTZ'],
    ['SELECT a::DECIMAL(10, 2), b::INT[], cast(c AS ENUM(\'x\'))', "SELECT a::DECIMAL(10, 2), b::INT[], cast(c AS ENUM('x'))"],
  ],
  maps: [
    ["SELECT MAP['a', 1, 'b', MAP['c', 2]]", "SELECT MAP{'a': 1, 'b': MAP{'c': 2}}"],
    ["SELECT map['a'] FROM t", "SELECT map['a'] FROM t"],
  ],
  'typographic spaces': [['SELECT\u00A0a\u3000FROM t', 'SELECT a FROM t']],
  'what DuckDB reads by itself': [
    ['FROM t SELECT a FETCH FIRST 3 ROWS ONLY', 'FROM t SELECT a FETCH FIRST 3 ROWS ONLY'],
    ['SELECT ROW(1, 2), ARRAY[1, 2], x -> x + 1, l[1:2], {a: 1}, 1_000, .5, 1e3', 'SELECT ROW(1, 2), ARRAY[1, 2], x -> x + 1, l[1:2], {a: 1}, 1_000, .5, 1e3'],
  ],
}; // prettier-ignore

describe.each(Object.entries(REWRITES))('%s', (name, cases) => {
  test.each(cases)('%s', async (from, to) => {
    const { sql: query } = queryOf(from);
    expect(query.text).toBe(to);
    expect(await parseError(query.text), name).toBeUndefined();
  });
});

/** Microseconds or months that an interval must mean. */
const MINUTE = 60_000_000;
const INTERVALS: readonly (readonly [interval: string, months: number, micros: number])[] = [
  ["INTERVAL '10' SECOND", 0, 10_000_000],
  ["INTERVAL '10' SECONDS", 0, 10_000_000],
  ['INTERVAL 10 SECOND', 0, 10_000_000],
  ["INTERVAL '1.5' MINUTE", 0, 1.5 * MINUTE],
  ["INTERVAL '1:30' MINUTE TO SECOND", 0, 1.5 * MINUTE],
  ["INTERVAL '1:30' HOUR TO MINUTE", 0, 90 * MINUTE],
  ["INTERVAL '1 02:03:04.5' DAY(2) TO SECOND(3)", 0, (26 * 60 + 3) * MINUTE + 4_500_000],
  ["INTERVAL '-1 02' DAY TO HOUR", 0, -26 * 60 * MINUTE],
  ["INTERVAL -'1:30' MINUTE TO SECOND", 0, -1.5 * MINUTE],
  ["INTERVAL '1-2' YEAR TO MONTH", 14, 0],
  ["INTERVAL '3' QUARTER", 9, 0],
  ["INTERVAL '2' WEEKS", 0, 14 * 24 * 60 * MINUTE],
  ["INTERVAL '7' DAY(3)", 0, 7 * 24 * 60 * MINUTE],
  ['INTERVAL -5 MINUTE', 0, -5 * MINUTE],
  ["INTERVAL '+5' MINUTE", 0, 5 * MINUTE],
  ["INTERVAL '5s'", 0, 5_000_000],
  ["INTERVAL '5 minutes'", 0, 5 * MINUTE],
  ['INTERVAL (2 + 3) MINUTE', 0, 5 * MINUTE],
  ['5s', 0, 5_000_000],
  ['1h30m', 0, 90 * MINUTE],
  ['250ms', 0, 250_000],
  ["INTERVAL '${N}' SECOND", 0, 7_000_000],
  ["INTERVAL '${N} minutes'", 0, 7 * MINUTE],
];

test.each(INTERVALS)('%s keeps its meaning', async (interval, months, micros) => {
  const script = parseScript(`SELECT ${interval}`, 'a.sql', () => ({ value: '7', secret: false }));
  const [statement] = script.statements;
  if (statement?.kind !== 'select') throw new Error('no SELECT');
  const [row] = await connection.rows(sql`
    SELECT datepart('year', i) * 12 + datepart('month', i) AS months,
           CASE WHEN months = 0 THEN epoch_us(i) ELSE 0 END AS micros
    FROM (SELECT (${raw(statement.query.sql.text)}) AS i)`);
  expect([Number(row?.['months']), Number(row?.['micros'])]).toEqual([months, micros]);
});

/** Types as declared, and as DuckDB then describes them. */
const TYPES: readonly (readonly [declared: string, described: string])[] = [
  ['STRING', 'VARCHAR'],
  ['BYTES', 'BLOB'],
  ['VARBINARY(10)', 'BLOB'],
  ['VARCHAR(2147483647)', 'VARCHAR'],
  ['CHARACTER VARYING(3)', 'VARCHAR'],
  ['DOUBLE PRECISION', 'DOUBLE'],
  ['DECIMAL(10, 2)', 'DECIMAL(10,2)'],
  ['TIMESTAMP(3)', 'TIMESTAMP'],
  ['TIMESTAMP(9)', 'TIMESTAMP_NS'],
  ['TIMESTAMP WITHOUT TIME ZONE', 'TIMESTAMP'],
  ['TIMESTAMP_LTZ(3)', 'TIMESTAMP WITH TIME ZONE'],
  ['TIMESTAMP(3) WITH LOCAL TIME ZONE', 'TIMESTAMP WITH TIME ZONE'],
  ['TIMESTAMP WITH TIME ZONE', 'TIMESTAMP WITH TIME ZONE'],
  ['TIMESTAMPTZ', 'TIMESTAMP WITH TIME ZONE'],
  ['TIME(0)', 'TIME'],
  ['ARRAY<INT>', 'INTEGER[]'],
  ['INT ARRAY', 'INTEGER[]'],
  ['INT ARRAY[3]', 'INTEGER[3]'],
  ['ARRAY<ARRAY<INT>>', 'INTEGER[][]'],
  ['ROW<a INT, b ROW<c STRING>>', 'STRUCT(a INTEGER, b STRUCT(c VARCHAR))'],
  ['ROW(a INT, `b c` DATE)', 'STRUCT(a INTEGER, "b c" DATE)'],
  ['STRUCT<a: INT>', 'STRUCT(a INTEGER)'],
  ['STRUCT(a INT, b VARCHAR[])', 'STRUCT(a INTEGER, b VARCHAR[])'],
  ['MAP<STRING, ARRAY<INT>>', 'MAP(VARCHAR, INTEGER[])'],
  ['MAP(VARCHAR, INT)', 'MAP(VARCHAR, INTEGER)'],
  ["ENUM('a', 'b')", "ENUM('a', 'b')"],
  ['UNION(n INT, s VARCHAR)', 'UNION(n INTEGER, s VARCHAR)'],
];

test.each(TYPES)('the type %s', async (declared, described) => {
  const [column] = columnsOf(`a ${declared}, z INT`);
  if (column?.kind !== 'physical') throw new Error('no physical column');
  expect(await connection.text(sql`SELECT typeof(NULL::${raw(column.type.text)})`)).toBe(described);
});

const NAMES_OF_KEYWORDS = raw(
  "SELECT upper(keyword_name) AS name FROM duckdb_keywords() WHERE keyword_category = 'reserved'",
);

test('the reserved words are those of DuckDB, save window', async () => {
  const words = (await connection.rows(NAMES_OF_KEYWORDS)).map((row) => String(row['name']));
  expect(words.filter((word) => !isReserved(word))).toEqual(['WINDOW']);
  expect(words.length).toBeGreaterThan(50);
});

/** EMIT, and what is left of the query. */
const EMITS: readonly (readonly [query: string, left: string, emit: Emit['kind'] | undefined])[] = [
  ['SELECT a FROM t EMIT CHANGES', 'SELECT a FROM t', 'changes'],
  ['SELECT a FROM t emit on window close', 'SELECT a FROM t', 'on-window-close'],
  ['SELECT a FROM t EMIT AFTER WATERMARK', 'SELECT a FROM t', 'on-window-close'],
  ['SELECT a FROM t EMIT FINAL', 'SELECT a FROM t', 'on-window-close'],
  ['SELECT a FROM t -- EMIT CHANGES\nEMIT ON WINDOW CLOSE', 'SELECT a FROM t', 'on-window-close'],
  ['SELECT a FROM t EMIT CHANGES LIMIT 3', 'SELECT a FROM t LIMIT 3', 'changes'],
  ['SELECT a FROM t LIMIT 3 EMIT CHANGES', 'SELECT a FROM t LIMIT 3', 'changes'],
  ['SELECT * EMIT CHANGES', 'SELECT *', 'changes'],
  ['SELECT t.* EMIT CHANGES', 'SELECT t.*', 'changes'],
  ['FROM t EMIT CHANGES', 'FROM t', 'changes'],
  ['SELECT a FROM t AS window EMIT CHANGES', 'SELECT a FROM t AS "window"', 'changes'],
  ['SELECT a FROM t WHERE a IS NULL EMIT CHANGES', 'SELECT a FROM t WHERE a IS NULL', 'changes'],
  ['SELECT a FROM t GROUP BY ALL EMIT CHANGES', 'SELECT a FROM t GROUP BY ALL', 'changes'],
  ['SELECT a FROM t ORDER BY a DESC EMIT CHANGES', 'SELECT a FROM t ORDER BY a DESC', 'changes'],
  ['SELECT values, t.left AS set FROM t AS set EMIT CHANGES', 'SELECT values, t.left AS set FROM t AS set', 'changes'],
  ['SELECT a FROM t ORDER BY values EMIT CHANGES', 'SELECT a FROM t ORDER BY values', 'changes'],
  ['SELECT a FROM t JOIN u USING (a) EMIT CHANGES', 'SELECT a FROM t JOIN u USING (a)', 'changes'],
  ['SELECT emit, x AS emit, t.emit FROM emit ORDER BY emit', 'SELECT emit, x AS emit, t.emit FROM emit ORDER BY emit', undefined],
  ['SELECT a FROM t emit JOIN u ON emit.a = u.a', 'SELECT a FROM t emit JOIN u ON emit.a = u.a', undefined],
  ['SELECT 2 * emit, count(*) emit FROM t', 'SELECT 2 * emit, count(*) emit FROM t', undefined],
  ['SELECT a FROM t "emit"', 'SELECT a FROM t "emit"', undefined],
  ["SELECT 'EMIT CHANGES'", "SELECT 'EMIT CHANGES'", undefined],
]; // prettier-ignore

test.each(EMITS)('%s', async (text, left, emit) => {
  const query = queryOf(text);
  expect([query.sql.text, query.emit?.kind]).toEqual([left, emit]);
  if (query.emit !== undefined)
    expect(text.slice(query.emit.span.start, query.emit.span.end)).toMatch(/^emit .*[a-z]$/i);
  expect(await parseError(query.sql.text)).toBeUndefined();
});

/** EMIT with its intervals, and what stands for them. */
const EMIT_OPTIONS: readonly (readonly [clause: string, kind: Emit['kind'], every?: string | undefined, lateness?: string])[] = [
  ["EMIT EVERY INTERVAL '5 seconds'", 'changes', "INTERVAL '5 seconds'"],
  ["EMIT CHANGES EVERY INTERVAL '5' SECOND", 'changes', "INTERVAL '5 SECOND'"],
  ['EMIT EVERY 5s', 'changes', "INTERVAL '5s'"],
  ['EMIT EVERY 5 SECONDS', 'changes', "INTERVAL '5 SECONDS'"],
  ['EMIT EVERY ${N} MINUTES', 'changes', "INTERVAL '7 MINUTES'"],
  ["EMIT EVERY INTERVAL '${N} minutes'", 'changes', "INTERVAL '7 minutes'"],
  ["EMIT EVERY INTERVAL '1:30' MINUTE TO SECOND(3)", 'changes', "INTERVAL '1 MINUTE 30 SECOND'"],
  ["EMIT ON WINDOW CLOSE ALLOWED LATENESS INTERVAL '10 seconds'", 'on-window-close', undefined, "INTERVAL '10 seconds'"],
  ['EMIT FINAL ALLOWED LATENESS 1h30m', 'on-window-close', undefined, "INTERVAL '1h30m'"],
  ["ALLOWED LATENESS INTERVAL '10' SECOND EMIT ON WINDOW CLOSE", 'on-window-close', undefined, "INTERVAL '10 SECOND'"],
  ['ALLOWED LATENESS 2 DAYS EMIT AFTER WATERMARK', 'on-window-close', undefined, "INTERVAL '2 DAYS'"],
]; // prettier-ignore

test.each(EMIT_OPTIONS)('%s', async (clause, kind, every, lateness) => {
  for (const query of [
    'SELECT a FROM t',
    'SELECT a FROM t AS x',
    'SELECT a FROM t GROUP BY all',
    'SELECT a FROM f(t)',
  ]) {
    const text = `${query} ${clause}`;
    const [statement] = parseScript(text, 'a.sql', () => ({ value: '7', secret: false })).statements;
    if (statement?.kind !== 'select' || statement.query.emit === undefined) throw new Error(`no EMIT: ${text}`);
    const { sql: left, emit } = statement.query;
    expect([left.text, emit.kind, emit.every?.text, emit.allowedLateness?.text]).toEqual([
      query,
      kind,
      every,
      lateness,
    ]);
    expect(text.slice(emit.span.start, emit.span.end)).toBe(clause);
    const interval = emit.every ?? emit.allowedLateness;
    expect(clause).toContain(text.slice(interval?.span.start, interval?.span.end));
    expect(await connection.text(sql`SELECT typeof(${raw(interval?.text ?? '')})`)).toBe('INTERVAL');
  }
});

test('allowed, lateness and every are names where they begin no clause', () => {
  for (const text of [
    'SELECT allowed lateness FROM t',
    'SELECT every FROM emit every',
    'SELECT allowed.lateness, every FROM allowed',
  ]) {
    expect([queryOf(text).sql.text, queryOf(text).emit]).toEqual([text, undefined]);
  }
});
