import { describe, expect, test } from 'vitest';
import { StreamsqlError, renderError } from '../src/base/errors.ts';
import { parseScript } from '../src/parser/parse.ts';

/** How a person reads the refusal of `text`. */
function refusal(text: string): string {
  try {
    parseScript(text, 'bids.sql');
  } catch (error) {
    if (error instanceof StreamsqlError) return `\n${renderError(error, { name: 'bids.sql', text })}\n`;
    throw error;
  }
  throw new Error(`not refused: ${text}`);
}

describe('carets', () => {
  test('show no secret of the line', () => {
    const line = "WITH (sasl_password = 'open sesame', foo)";
    const error = new StreamsqlError('OPTION', 'no', { span: { start: 37, end: 40 } });
    expect(renderError(error, { name: 'f.sql', text: line })).toContain(`
1 | WITH (sasl_password = '**** ******', foo)
  |                                      ^^^`);
  });

  test('under a misspelt keyword of a statement, with the near miss', () => {
    expect(refusal('SET a = 1;\nCREAT SOURCE bids')).toBe(`
error[SYNTAX]: expected a statement, found CREAT
 --> bids.sql:2:1
  |
2 | CREAT SOURCE bids
  | ^^^^^
  hint: did you mean CREATE?
`);
  });

  test('after tabs and characters of two code units', () => {
    expect(refusal("SELECT '😀' AS a;\n\tSELECT '😀', \t'open")).toBe(`
error[SYNTAX]: this string never ends
 --> bids.sql:2:15
  |
2 | \tSELECT '😀', \t'open
  | \t            \t^^^^^
  hint: close it with '
`);
  });

  test('just behind a statement that ends too early', () => {
    expect(refusal('CREATE SOURCE s (a INT)  ;')).toBe(`
error[SYNTAX]: expected WITH, found the end of the statement
 --> bids.sql:1:24
  |
1 | CREATE SOURCE s (a INT)  ;
  |                        ^
`);
  });

  test('under the variable, not under its value', () => {
    expect(refusal("CREATE SOURCE s WITH (brokers = 'a:1,${HOST}:9092')")).toBe(`
error[SYNTAX]: the variable HOST is not set
 --> bids.sql:1:38
  |
1 | CREATE SOURCE s WITH (brokers = 'a:1,\${HOST}:9092')
  |                                      ^^^^^^^
  hint: pass -v HOST=VALUE, set it in the environment, or give a default: \${HOST:-VALUE}
`);
  });

  test('under the second of two equal columns', () => {
    expect(refusal('CREATE SOURCE s (\n  price INT,\n  Price DOUBLE\n) WITH (connector = x)')).toBe(`
error[SYNTAX]: there is a column Price already
 --> bids.sql:3:3
  |
3 |   Price DOUBLE
  |   ^^^^^
  hint: names that differ only in case are the same
`);
  });
});

const REFUSED: readonly (readonly [text: string, at: string, says: string])[] = [
  ['CREATE SORCE s', 'SORCE', 'did you mean SOURCE?'],
  ['CREATE MATERIALISED VIEW v AS SELECT 1', 'MATERIALISED', 'did you mean MATERIALIZED?'],
  ['CREATE SOURCE s (a INT) WIHT (b = 1)', 'WIHT', 'did you mean WITH?'],
  ['CREATE VIEW v AS SELCT 1', 'SELCT', 'did you mean SELECT?'],
  ['INSERT INOT t SELECT 1', 'INOT', 'did you mean INTO?'],
  ['SHOW TABELS', 'TABELS', 'did you mean TABLES?'],
  ['DROP VEIW v', 'VEIW', 'did you mean VIEW?'],
  ['SELECT 1 EMIT ON WINDOW CLOSED', 'EMIT ON WINDOW CLOSED', 'write EMIT CHANGES or EMIT ON WINDOW CLOSE'],
  ['SELECT a FROM t EMIT', 'EMIT', 'as a name, write "emit"'],
  ['SELECT * FROM (SELECT 1 FROM t EMIT CHANGES)', 'EMIT CHANGES', 'EMIT belongs to the whole query'],
  ['SELECT 1 EMIT CHANGES EMIT CHANGES', 'EMIT', 'EMIT ends the query, but EMIT follows'],
  ['SELECT 1 FROM t EMIT EVERY', '', "write EMIT EVERY INTERVAL '5 seconds'"],
  ['SELECT 1 FROM t EMIT CHANGES EVERY second', 'second', 'EVERY takes a constant interval'],
  ["SELECT 1 FROM t EMIT EVERY '5 seconds'", "'5 seconds'", 'EVERY takes a constant interval'],
  ['SELECT 1 FROM t EMIT EVERY 5s GROUP BY a', 'GROUP', 'EMIT ends the query'],
  ['SELECT 1 FROM t EMIT EVERY 5s EVERY 6s', 'EVERY', 'there is one EVERY already'],
  ['SELECT 1 FROM t EMIT ON WINDOW CLOSE EVERY 5s', 'EVERY', 'a window is given once'],
  [
    "SELECT 1 FROM t EMIT CHANGES ALLOWED LATENESS INTERVAL '1' DAY",
    "ALLOWED LATENESS INTERVAL '1' DAY",
    'ALLOWED LATENESS goes with EMIT ON WINDOW CLOSE',
  ],
  ['SELECT 1 FROM t ALLOWED LATENESS 5s EMIT EVERY 5s', 'ALLOWED LATENESS 5s', 'goes with EMIT ON WINDOW CLOSE'],
  ['SELECT 1 FROM t ALLOWED LATENESS 5s', 'ALLOWED LATENESS 5s', 'at the end of the query'],
  ['SELECT 1 FROM t ALLOWED LATENESS EMIT ON WINDOW CLOSE', 'EMIT', 'ALLOWED LATENESS takes a constant interval'],
  ['SELECT 1 FROM t EMIT ON WINDOW CLOSE ALLOWED LATENESS', '', 'ALLOWED LATENESS takes a constant interval'],
  [
    'SELECT 1 FROM t ALLOWED LATENESS 5s EMIT ON WINDOW CLOSE ALLOWED LATENESS 6s',
    'ALLOWED LATENESS',
    'there is one ALLOWED LATENESS already',
  ],
  ['SELECT 1 FROM t EMIT PERIODIC 5s', 'EMIT PERIODIC', "write EMIT EVERY INTERVAL '5 seconds'"],
  ['CREATE SOURCE s (a INT, PRIMARY KEY (b)) WITH (b = 1)', 'b', 'the key names a column that is not there'],
  ['CREATE SOURCE s (a INT, PRIMARY KEY) WITH (b = 1)', ')', 'the columns of the key in parentheses'],
  [
    'CREATE SOURCE s (a INT PRIMARY KEY, PRIMARY KEY (a)) WITH (b = 1)',
    'PRIMARY KEY',
    'there is one PRIMARY KEY already',
  ],
  ['CREATE SOURCE s (a INT, PRIMARY KEY (a) ENFORCED) WITH (b = 1)', 'ENFORCED', 'write NOT ENFORCED'],
  ['CREATE SOURCE s (a INT UNIQUE) WITH (b = 1)', 'UNIQUE', 'leave it out'],
  ['CREATE SINK s (a INT NOT NULL) WITH (b = 1)', 'a', 'NOT NULL is not supported in a sink'],
  ['CREATE SINK s (a INT, PRIMARY KEY (b)) WITH (b = 1)', 'b', 'the key names a column that is not there'],
  ['CREATE SOURCE s (a INT,) WITH (b = 1)', ')', 'expected the name of a column'],
  ['CREATE SOURCE s (a) WITH (b = 1)', 'a', 'write name TYPE, or name AS expression'],
  ['CREATE SOURCE s (a INT NULLABLE) WITH (b = 1)', 'NULLABLE', 'expected , or )'],
  ['CREATE SOURCE s ("$p" INT) WITH (b = 1)', '"$p"', 'names that begin with $ are reserved'],
  ['SELECT `$p` FROM t', '`$p`', 'names that begin with $ are reserved'],
  ['CREATE SOURCE "" (a INT) WITH (b = 1)', '""', 'a name is not empty'],
  ['CREATE SOURCE a.b (c INT) WITH (b = 1)', 'a.b', 'names have one part here'],
  ['CREATE SOURCE s (select INT) WITH (b = 1)', 'select', 'write "select"'],
  ['CREATE SOURCE s (WATERMARK FOR t) WITH (b = 1)', 't', "WATERMARK FOR t AS t - INTERVAL '5 seconds'"],
  ['CREATE SOURCE s (a INT) WITH (h = localhost:9092)', ':', 'goes in quotes'],
  ["CREATE SOURCE s (a INT) WITH (h 'x')", "'x'", 'expected ='],
  [
    "CREATE SINK s (t TIMESTAMP, WATERMARK FOR t AS t) WITH (c = 'x')",
    'WATERMARK FOR t AS t',
    'a sink has no watermark',
  ],
  ['CREATE SINK s AS SELECT 1', 's', 'the sink s has no WITH'],
  ['CREATE SOURCE s (t TIMESTAMP(12)) WITH (b = 1)', 'TIMESTAMP', 'at most 9 digits'],
  ['SELECT (1 + [2) FROM t', '[2)', '[ is closed by ], not by )'],
  ['SELECT (1', '(', 'this ( is never closed'],
  ['SELECT 1)', ')', 'nothing opened this )'],
  ['SELECT 1 /* /* */', '/*', 'this comment never ends'],
  ['SELECT "a', '"a', 'this quoted name never ends'],
  ['SELECT $x$ $y$', '$x$ $y$', 'this string never ends'],
  ['SELECT “a”', '“', 'use "'],
  ['SELECT a\u200B', '\u200B', 'the character U+200B has no meaning here'],
  ['SELECT a \\ b', '\\', 'the character \\ has no meaning here'],
  ['SELECT ${1X}', '${', 'write ${NAME} or ${NAME:-default}'],
  ['SELECT ${X:-a b}', '${X:-a b}', "put it in a string: '${X:-a b}'"],
  ['SELECT $1', '$1', 'takes no parameters'],
  ['SELECT ? FROM t', '?', 'takes no parameters'],
  ["SELECT INTERVAL '1-30' MINUTE TO SECOND", "'1-30'", "write INTERVAL '1:2' MINUTE TO SECOND"],
  ["SELECT INTERVAL '1' SECOND TO MINUTE", "'1' SECOND TO MINUTE", 'there are no intervals of SECOND TO MINUTE'],
  ["SELECT INTERVAL '1' MONTH TO DAY", "'1' MONTH TO DAY", 'there are no intervals of MONTH TO DAY'],
  ["SELECT INTERVAL '5 minutes' HOUR", "'5 minutes'", 'an interval in HOUR takes one number'],
  ['SELECT * FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(a, b), 5s))', 'DESCRIPTOR(a, b)', 'names one column here'],
  ['CREATE SOURCE s WITH (a = b) SELECT 1', 'SELECT', 'put a ; before SELECT'],
  ['CREATE SOURCE s (a STRCT<x INT>) WITH (b = 1)', 'STRCT', 'did you mean STRUCT?'],
  ['EXPLAIN DROP VIEW v', 'DROP', 'there is nothing to explain in this'],
  ['EXPLAIN (COSTS) SELECT 1', 'COSTS', 'expected ANALYZE or FORMAT'],
  ['SET SESSION a = 1', 'SESSION', 'leave it out'],
  ['DESCRIBE SELECT 1', 'SELECT', 'make it a view, and DESCRIBE that'],
];

test.each(REFUSED)('%s', (text, at, says) => {
  let found: unknown;
  try {
    parseScript(text, 'a.sql');
  } catch (error) {
    found = error;
  }
  if (!(found instanceof StreamsqlError) || found.span === undefined) throw new Error('not refused with a span');
  expect(text.slice(found.span.start, found.span.end)).toBe(at);
  expect(`${found.message}; ${found.hint}`).toContain(says);
});
