import { describe, expect, test } from 'vitest';
import type { Span } from '../src/base/errors.ts';
import { parseScript } from '../src/parser/parse.ts';
import type { MappedText, Statement } from '../src/parser/statements.ts';
import { redact, type Variable } from '../src/parser/variables.ts';

const only = (text: string): Statement => {
  const [statement, more] = parseScript(text, 'a.sql').statements;
  if (statement === undefined || more !== undefined) throw new Error(`not one statement: ${text}`);
  return statement;
};

/** The statement with every span as the text it covers, and every mapped text as its text. */
function shown(text: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (isMapped(value)) return value.text;
  if (isSpan(value)) return text.slice(value.start, value.end);
  if (Array.isArray(value)) return value.map((one) => shown(text, one));
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, shown(text, one)]));
}
const isMapped = (value: object): value is MappedText => 'origin' in value;
const isSpan = (value: object): value is Span => Object.keys(value).join() === 'start,end';

const name = (text: string, written = text): unknown => ({ text, span: written });

test('a source with each kind of column', () => {
  const text = `CREATE SOURCE IF NOT EXISTS "my bids" (
    auction BIGINT, \`dateTime\` TIMESTAMP(3) COMMENT 'when', "partition" INT METADATA FROM 'p' VIRTUAL, off BIGINT METADATA,
    cents AS price * 100, pt AS PROCTIME(), later AS proctime() + INTERVAL '1' DAY,
    WATERMARK FOR \`dateTime\` AS \`dateTime\` - INTERVAL '4' SECOND
  ) WITH (connector = 'kafka', 'topic' = 'it''s', rate = -5_000, wait = 5s, bounded = TRUE, scan.startup.mode = earliest)`;
  expect(shown(text, only(text))).toEqual({
    kind: 'create-source',
    word: 'source',
    name: name('my bids', '"my bids"'),
    ifNotExists: true,
    columns: [
      { kind: 'physical', name: name('auction'), type: 'BIGINT' },
      { kind: 'physical', name: name('dateTime', '`dateTime`'), type: 'TIMESTAMP' },
      { kind: 'metadata', name: name('partition', '"partition"'), type: 'INT', from: name('p', "'p'") },
      { kind: 'metadata', name: name('off'), type: 'BIGINT', from: name('off') },
      { kind: 'computed', name: name('cents'), expression: 'price * 100' },
      { kind: 'proctime', name: name('pt') },
      { kind: 'computed', name: name('later'), expression: "proctime() + INTERVAL '1 DAY'" },
    ],
    primaryKey: [],
    watermark: {
      column: name('dateTime', '`dateTime`'),
      expression: `"dateTime" - INTERVAL '4 SECOND'`,
      span: "WATERMARK FOR `dateTime` AS `dateTime` - INTERVAL '4' SECOND",
    },
    options: [
      { name: 'connector', value: 'kafka', nameSpan: 'connector', valueSpan: "'kafka'" },
      { name: 'topic', value: "it's", nameSpan: "'topic'", valueSpan: "'it''s'" },
      { name: 'rate', value: '-5_000', nameSpan: 'rate', valueSpan: '-5_000' },
      { name: 'wait', value: '5s', nameSpan: 'wait', valueSpan: '5s' },
      { name: 'bounded', value: 'TRUE', nameSpan: 'bounded', valueSpan: 'TRUE' },
      { name: 'scan.startup.mode', value: 'earliest', nameSpan: 'scan.startup.mode', valueSpan: 'earliest' },
    ],
    span: text,
  });
});

test('the words STREAM and TABLE, and a source without columns', () => {
  const word = (text: string): unknown => {
    const statement = only(text);
    return statement.kind === 'create-source' ? [statement.word, statement.columns.length] : statement.kind;
  };
  expect(word("CREATE STREAM s WITH (connector = 'nexmark')")).toEqual(['stream', 0]);
  expect(word("CREATE TABLE s (a INT) WITH ('connector' = 'file')")).toEqual(['table', 1]);
  expect(word('CREATE SOURCE s WITH ()')).toEqual(['source', 0]);
});

const KEYS: readonly (readonly [columns: string, key: readonly string[]])[] = [
  ['id BIGINT, name STRING, PRIMARY KEY (id) NOT ENFORCED', ['id']],
  ['id BIGINT PRIMARY KEY, name STRING NOT NULL', ['id']],
  ["id BIGINT NOT NULL PRIMARY KEY NOT ENFORCED COMMENT 'who', name STRING NULL", ['id']],
  ['PRIMARY KEY (`b`, A), a INT, b INT', ['b', 'a']],
  ["a INT, k INT METADATA FROM 'key', CONSTRAINT pk PRIMARY KEY (a, k) NOT ENFORCED, WATERMARK FOR a AS a", ['a', 'k']],
  ['id BIGINT CONSTRAINT pk PRIMARY KEY, name STRING', ['id']],
  ['id BIGINT NOT NULL', []],
];

test.each(KEYS)('the key of (%s)', (columns, key) => {
  const text = `CREATE TABLE s (${columns}) WITH ('connector' = 'x')`;
  const source = only(text);
  if (source.kind !== 'create-source') throw new Error('no source');
  expect(source.primaryKey.map((column) => column.text)).toEqual(key);
  for (const { text: column, span } of source.primaryKey) {
    expect(text.slice(span.start, span.end).replaceAll('`', '').toLowerCase()).toBe(column);
  }
});

const SELECT_A = { sql: 'SELECT a', emit: undefined };

const STATEMENTS: readonly (readonly [text: string, statement: object])[] = [
  ['CREATE VIEW v AS SELECT a',
    { kind: 'create-view', materialized: false, name: name('v'), ifNotExists: false, columnNames: [], query: SELECT_A }],
  ['CREATE MATERIALIZED VIEW IF NOT EXISTS v (x, "y z") AS SELECT a EMIT CHANGES',
    { kind: 'create-view', materialized: true, name: name('v'), ifNotExists: true, columnNames: [name('x'), name('y z', '"y z"')],
      query: { sql: 'SELECT a', emit: { kind: 'changes', span: 'EMIT CHANGES' } } }],
  ["CREATE SINK s (a INT) WITH (c = 'd') AS SELECT a",
    { kind: 'create-sink', name: name('s'), ifNotExists: false, primaryKey: [], columns: [{ kind: 'physical', name: name('a'), type: 'INT' }],
      options: [{ name: 'c', value: 'd', nameSpan: 'c', valueSpan: "'d'" }], query: SELECT_A }],
  ["CREATE SINK s WITH (c = 'd')",
    { kind: 'create-sink', name: name('s'), ifNotExists: false, primaryKey: [], columns: [], query: undefined,
      options: [{ name: 'c', value: 'd', nameSpan: 'c', valueSpan: "'d'" }] }],
  ['CREATE SINK s AS WITH x AS (SELECT 1) SELECT a FROM x WITH (c = d)',
    { kind: 'create-sink', name: name('s'), ifNotExists: false, primaryKey: [], columns: [],
      options: [{ name: 'c', value: 'd', nameSpan: 'c', valueSpan: 'd' }],
      query: { sql: 'WITH x AS (SELECT 1) SELECT a FROM x', emit: undefined } }],
  ['CREATE SINK s FROM v WITH (c = d)',
    { kind: 'create-sink', name: name('s'), ifNotExists: false, primaryKey: [], columns: [],
      options: [{ name: 'c', value: 'd', nameSpan: 'c', valueSpan: 'd' }], query: { sql: 'FROM v', emit: undefined } }],
  ['INSERT INTO s (a, b) SELECT a', { kind: 'insert', target: name('s'), columnNames: [name('a'), name('b')], query: SELECT_A,
    sql: 'INSERT INTO s (a, b) SELECT a' }],
  ['INSERT INTO s (SELECT a)', { kind: 'insert', target: name('s'), columnNames: [], query: { sql: '(SELECT a)', emit: undefined },
    sql: 'INSERT INTO s (SELECT a)' }],
  ['INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO NOTHING', { kind: 'change', verb: 'insert', target: name('t'), conflicts: true, assigned: [],
    sql: 'INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO NOTHING' }],
  ['INSERT OR REPLACE INTO t SELECT a', { kind: 'change', verb: 'insert', target: name('t'), conflicts: true, assigned: [],
    sql: 'INSERT OR REPLACE INTO t SELECT a' }],
  ['INSERT INTO t DEFAULT VALUES', { kind: 'change', verb: 'insert', target: name('t'), conflicts: false, assigned: [],
    sql: 'INSERT INTO t DEFAULT VALUES' }],
  ['UPDATE t AS u SET a = b, (c, d) = e WHERE f = 1', { kind: 'change', verb: 'update', target: name('t'), conflicts: false,
    assigned: ['a', 'c', 'd'], sql: 'UPDATE t AS u SET a = b, (c, d) = e WHERE f = 1' }],
  ['DELETE FROM `t u`', { kind: 'change', verb: 'delete', target: name('t u', '`t u`'), conflicts: false, assigned: [], sql: 'DELETE FROM "t u"' }],
  ['WITH x AS (SELECT 1) DELETE FROM t', { kind: 'change', verb: 'delete', target: name('t'), conflicts: false, assigned: [],
    sql: 'WITH x AS (SELECT 1) DELETE FROM t' }],
  ['CREATE TABLE t (a STRING PRIMARY KEY, b ARRAY<ROW<c INT, d BYTES>>, CHECK (a > b))', { kind: 'create-table', name: name('t'), ifNotExists: false,
    sql: 'CREATE TABLE t (a VARCHAR PRIMARY KEY, b STRUCT(c INT, d BLOB)[], CHECK (a > b))' }],
  ['CREATE TABLE IF NOT EXISTS t AS SELECT a', { kind: 'create-table', name: name('t'), ifNotExists: true,
    sql: 'CREATE TABLE IF NOT EXISTS t AS SELECT a' }],
  ['((SELECT a) UNION ALL SELECT b)', { kind: 'select', query: { sql: '((SELECT a) UNION ALL SELECT b)', emit: undefined } }],
  ['VALUES (1)', { kind: 'select', query: { sql: 'VALUES (1)', emit: undefined } }],
  ['FROM t', { kind: 'select', query: { sql: 'FROM t', emit: undefined } }],
  ["SET a.b = 'c d'", { kind: 'set', name: name('a.b'), value: 'c d', valueSpan: "'c d'" }],
  ["SET 'a.b' = 5", { kind: 'set', name: name('a.b', "'a.b'"), value: '5', valueSpan: '5' }],
  ['SET a TO b', { kind: 'set', name: name('a'), value: 'b', valueSpan: 'b' }],
  ["SET TIME ZONE 'UTC'", { kind: 'set', name: name('timezone', 'TIME'), value: 'UTC', valueSpan: "'UTC'" }],
  ['DROP MATERIALIZED VIEW IF EXISTS v', { kind: 'drop', object: 'view', name: name('v'), ifExists: true }],
  ['DROP STREAM s', { kind: 'drop', object: 'stream', name: name('s'), ifExists: false }],
  ['SHOW STREAMS', { kind: 'show', what: 'sources', name: undefined }],
  ['SHOW MATERIALIZED VIEWS', { kind: 'show', what: 'views', name: undefined }],
  ['SHOW CREATE v', { kind: 'show', what: 'create', name: name('v') }],
  ['SHOW CREATE MATERIALIZED VIEW "v w"', { kind: 'show', what: 'create', name: name('v w', '"v w"') }],
  ['SHOW CREATE source', { kind: 'show', what: 'create', name: name('source') }],
  ['SHOW timezone', { kind: 'show', what: 'variable', name: name('timezone') }],
  ['DESC v', { kind: 'describe', name: name('v') }],
  ['EXPLAIN v', { kind: 'explain', analyze: false, format: 'text', subject: name('v') }],
  ['EXPLAIN ANALYZE v', { kind: 'explain', analyze: true, format: 'text', subject: name('v') }],
  ['EXPLAIN (ANALYZE, FORMAT JSON) v', { kind: 'explain', analyze: true, format: 'json', subject: name('v') }],
  ['EXPLAIN FORMAT JSON v', { kind: 'explain', analyze: false, format: 'json', subject: name('v') }],
  ['EXPLAIN (SELECT a)', { kind: 'explain', analyze: false, format: 'text',
    subject: { kind: 'select', query: { sql: '(SELECT a)', emit: undefined }, span: '(SELECT a)' } }],
]; // prettier-ignore

test.each(STATEMENTS)('%s', (text, statement) => {
  expect(shown(text, only(text))).toEqual({ ...statement, span: text });
});

test('statements are cut at semicolons outside of strings, names and comments; empty ones are none', () => {
  const text = ` ; SELECT ';' AS ";" /* ; */ -- ;\n ; ; SHOW TABLES;\n-- the end ;`;
  const { statements } = parseScript(text, 'a.sql');
  expect(statements.map(({ span }) => text.slice(span.start, span.end))).toEqual([`SELECT ';' AS ";"`, 'SHOW TABLES']);
  expect(parseScript('', 'a.sql').statements).toEqual([]);
});

describe('variables', () => {
  const VALUES: Readonly<Record<string, Variable>> = {
    HOST: { value: 'secret-host:9092', secret: true },
    QUOTE: { value: "o'clock\\", secret: false },
    N: { value: '42', secret: true },
    EMPTY: { value: '', secret: true },
    EVIL: { value: '1; DROP TABLE t', secret: false },
  };
  const lookup = (variable: string): Variable | undefined => VALUES[variable];
  const query = (text: string): string => {
    const [statement] = parseScript(text, 'a.sql', lookup).statements;
    if (statement?.kind !== 'select') throw new Error('no SELECT');
    return statement.query.sql.text;
  };

  test('fill options, keep their spans, and are secret where the lookup says so', () => {
    const text =
      "CREATE SOURCE s WITH (a = 'x,${HOST}', b = ${N}, c = '${GONE:-d''e}', d = ${GONE:-f g}, e = '${EMPTY}')";
    const script = parseScript(text, 'a.sql', lookup);
    const [source] = script.statements;
    if (source?.kind !== 'create-source') throw new Error('no source');
    expect(source.options.map(({ value }) => value)).toEqual(['x,secret-host:9092', '42', "d'e", 'f g', '']);
    expect(shown(text, source.options)).toMatchObject([
      { valueSpan: "'x,${HOST}'" },
      { valueSpan: '${N}' },
      { valueSpan: "'${GONE:-d''e}'" },
      { valueSpan: '${GONE:-f g}' },
      { valueSpan: "'${EMPTY}'" },
    ]);
    expect(script.secrets.map((secret) => secret.name)).toEqual(['HOST', 'N', 'EMPTY']);
  });

  test('fill literals, escaped as the literal is', () => {
    expect(query("SELECT '${QUOTE}', E'${QUOTE}', 1 + ${N} LIMIT ${N:-3}")).toBe(
      "SELECT 'o''clock\\', E'o''clock\\\\', 1 + 42 LIMIT 42",
    );
  });

  test('leave comments, names and dollar-quoted strings alone', () => {
    const text = 'SELECT "a${HOST}", $$${HOST}$$ -- ${HOST}\n, 1';
    expect(query(text)).toBe(text);
  });

  test('cannot change what a statement is', () => {
    expect(() => query('SELECT ${EVIL}')).toThrow('outside of a string a variable must be a number');
    expect(query("SELECT '${EVIL}'")).toBe("SELECT '1; DROP TABLE t'");
  });

  test('redact puts names in the place of secrets, the longest first, and spares what only contains a short one', () => {
    const secrets = [
      { name: 'N', value: '42' },
      { name: 'HOST', value: 'secret-host' },
      { name: 'BROKER', value: 'secret-host:9092' },
      { name: 'EMPTY', value: '' },
      { name: 'PASS', value: "it's (a+b)" },
    ];
    expect(redact("secret-host:9092, secret-host, 42 of 1423, 'it''s (a+b)', it's (a+b)", secrets)).toBe(
      "${BROKER}, ${HOST}, ${N} of 1423, '${PASS}', ${PASS}",
    );
    expect(redact('nothing', [])).toBe('nothing');
  });
});
