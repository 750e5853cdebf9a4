import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runTests } from '../src/testing/run-tests.ts';
import { ALL_SLICINGS } from '../src/testing/slicing.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'streamsql-testing-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const COMMON = `CREATE SOURCE s (k VARCHAR, x INTEGER) WITH (connector = 'feed');
CREATE MATERIALIZED VIEW v AS SELECT k, x FROM s;
`;

/** Runs one file of the given text; what was said, with the file's own path cut down to its name. */
async function run(text: string, options: { update?: boolean; sliced?: boolean } = {}) {
  const path = join(folder, 'case.test.sql');
  writeFileSync(path, text);
  const lines: string[] = [];
  const { passed, failed } = await runTests([path], {
    update: options.update === true,
    onLine: (line) => lines.push(line),
    color: false,
    ...(options.sliced === true ? { slicings: ALL_SLICINGS } : {}),
  });
  const said = lines
    .join('\n')
    .replaceAll(path, 'case.test.sql')
    .replaceAll(/, \d+ ms/g, '');
  return { passed, failed, said, text: readFileSync(path, 'utf8') };
}

describe('a difference', () => {
  it('shows what was expected beside what was found, with its place', async () => {
    const { failed, said } = await run(`${COMMON}
TEST 'rows';
FEED s VALUES ('a', 1), ('b', 20);
EXPECT SELECT * FROM v;
-- k | x
-- a | 1
-- b | 2
`);
    expect(failed).toBe(1);
    expect(said).toBe(`FAILED case.test.sql  0 passed

case.test.sql:4: TEST 'rows'
  case.test.sql:6: EXPECT SELECT * FROM v
  - expected, + found
      k |  x
      a |  1
    - b |  2
    + b | 20
`);
  });

  it('is none where only the order of rows, the alignment or the last digit of a double differ', async () => {
    const { passed, said } = await run(`${COMMON}
TEST 'unordered';
FEED s VALUES ('b', 2), ('a', 10);
EXPECT SELECT *, 0.1::DOUBLE + 0.2 AS d FROM v;
-- k|x|d
-- b|2|0.3000000000000001
--   a  |  10 | 0.30000000000000004
`);
    expect(said).toBe('ok     case.test.sql  1 passed');
    expect(passed).toBe(1);
  });

  it('is one of order where the SELECT has an ORDER BY, of columns, and of NULL against the word', async () => {
    const order = await run(`${COMMON}
TEST 'ordered';
FEED s VALUES ('a', 1), ('b', 2);
EXPECT SELECT k FROM v ORDER BY x DESC;
-- k
-- a
-- b
`);
    expect(order.failed).toBe(1);
    const header = await run(`${COMMON}
TEST 'header';
EXPECT SELECT k FROM v;
-- kk
`);
    expect(header.failed).toBe(1);
    const word = await run(`${COMMON}
TEST 'null';
FEED s VALUES ('NULL', NULL);
EXPECT SELECT * FROM v;
-- k    | x
-- NULL | NULL
`);
    expect(word.said).toContain("+ 'NULL' | NULL");
  });

  it('says in which slicing it is', async () => {
    const text = (mark: string): string => `${COMMON}
TEST 'epochs'${mark};
FEED s VALUES ('a', 1), ('b', 2);
EXPECT SELECT count(*) AS n FROM _streamsql.epochs;
-- n
-- 2
`;
    const { failed, said } = await run(text(''), { sliced: true });
    expect(failed).toBe(1);
    expect(said).toContain("TEST 'epochs', with an epoch for each row\n");
    expect((await run(text(' AS WRITTEN'), { sliced: true })).failed).toBe(0);
  });
});

describe('--update', () => {
  it('fills and refills expected blocks, and touches nothing else', async () => {
    const before = `${COMMON}
-- a comment of its own
TEST 'rows';
FEED s VALUES ('a', 1), ('it''s | so', NULL), (E'two\\nlines', 3);
EXPECT SELECT * FROM v;   -- beside it
-- k | x
-- wrong

-- another comment
EXPECT SELECT sum(x) AS total
  FROM v;
TEST 'right already';
EXPECT SELECT * FROM v;
--    k|x
`;
    const { text, failed } = await run(before, { update: true });
    expect(failed).toBe(0);
    expect(text).toBe(`${COMMON}
-- a comment of its own
TEST 'rows';
FEED s VALUES ('a', 1), ('it''s | so', NULL), (E'two\\nlines', 3);
EXPECT SELECT * FROM v;   -- beside it
-- k             |    x
-- 'it''s | so'  | NULL
-- E'two\\nlines' |    3
-- a             |    1

-- another comment
EXPECT SELECT sum(x) AS total
  FROM v;
-- total
--     4
TEST 'right already';
EXPECT SELECT * FROM v;
--    k|x
`);
    expect((await run(text)).failed).toBe(0);
  });

  it('writes down no answer where there is an error that nobody expected', async () => {
    const text = `${COMMON}
TEST 'broken';
CREATE MATERIALIZED VIEW w AS SELECT y FROM s;
EXPECT SELECT * FROM w;
-- y
`;
    const after = await run(text, { update: true });
    expect(after).toMatchObject({ failed: 1, text });
    expect(after.said).toContain('--> sql:1:38');
  });
});

describe('a mistake in the test file has its line and caret', () => {
  const feeding = (feed: string): string => `${COMMON}\nTEST 't';\n${feed}\nEXPECT SELECT * FROM v;\n-- k | x\n`;
  it.each([
    ['too few values', "FEED s VALUES ('a', 1), ('b');", 'this row has 1 values for 2 columns', ':5:25'],
    ['a column that is not there', "FEED s (k, z) VALUES ('a', 1);", 'the source s has no column z to feed', ':5:12'],
    ['a value that does not cast', "FEED s VALUES ('a', 1), ('b', 'two');", "Could not convert string 'two'", ':5:25'],
    ['a source that is not there', "FEED t VALUES ('a', 1);", 'no view and no sink reads a source t', ':5:6'],
    ['a feed after END', "END;\nFEED s VALUES ('a', 1);", 'after END comes nothing but EXPECT', ':6:1'],
    [
      'a clock that goes back',
      "SET CLOCK = TIMESTAMP '2024-01-02';\nSET CLOCK = TIMESTAMP '2024-01-01';",
      'the clock does not go back',
      ':6:1',
    ],
    ['a time that is none', "SET CLOCK = TIMESTAMP 'noon';", "'noon' is no time", ':5:23'],
    ['a duration that is none', "ADVANCE CLOCK 'soon';", "'soon' is no duration", ':5:15'],
    ['an error that does not come', 'EXPECT ERROR;\n-- x', 'an error was expected, and there was none', ':5:1'],
    ['a query that does not bind', 'EXPECT SELECT y FROM v;\n-- y', 'Referenced column "y" not found', ':5:1'],
    [
      'SQL after the first step',
      'EPOCH;\nCREATE VIEW w AS SELECT k FROM s;',
      'the SQL under test stands before',
      ':6:1',
    ],
    ['an unknown expectation', 'EXPECT SELEKT * FROM v;', 'expected a SELECT', ':5:8'],
    ['a missing semicolon', 'EPOCH', 'expected the end of the statement, found EXPECT', ':6:1'],
    ['a partition that is none', "FEED s PARTITION x VALUES ('a', 1);", 'expected the number of a partition', ':5:18'],
  ])('%s', async (_, feed, message, place) => {
    const { failed, said } = await run(feeding(feed));
    expect(failed).toBe(1);
    expect(said).toContain(message);
    expect(said).toContain(`--> case.test.sql${place}\n`);
  });

  it('no TEST, and no ; at the end', async () => {
    expect((await run(COMMON)).said).toContain('this file has no TEST');
    expect((await run(`${COMMON}TEST 't'`)).said).toContain('the last statement has no ;');
    expect((await run(`${COMMON}FEED s VALUES (1);`)).said).toContain('FEED stands before the first TEST');
  });

  it('an expectation that is not filled in', async () => {
    const { failed, said } = await run(`${COMMON}TEST 't';\nEXPECT SELECT * FROM v;\n`);
    expect(failed).toBe(1);
    expect(said).toContain('--update fills it in');
  });
});

it('takes the SQL under test from a file, with variables, whatever connector its sources name', async () => {
  writeFileSync(
    join(folder, 'app.sql'),
    `CREATE SOURCE orders (id BIGINT) WITH (connector = 'kafka', brokers = '\${BROKERS}', topic = 'orders');
CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n, '\${LABEL}' AS label FROM orders;`,
  );
  const { said } = await run(`TEST 'counts' USING 'app.sql' WITH (BROKERS = '127.0.0.1:1', LABEL = 'today''s');
FEED orders VALUES (1), (2);
EXPECT SELECT * FROM v;
-- n | label
-- 2 | today's
TEST 'a file that is not there' USING 'gone.sql';
EXPECT SELECT 1 AS one;
`);
  expect(said).toContain('FAILED case.test.sql  1 passed');
  expect(said).toContain('error[FILE_MISSING]: gone.sql cannot be read');
  expect(said).toContain('--> case.test.sql:6:39');
});

it('refuses paths that hold no test', async () => {
  const options = { update: false, onLine: () => undefined, color: false };
  await expect(runTests([join(folder, 'nowhere')], options)).rejects.toMatchObject({ code: 'FILE_MISSING' });
  const empty = mkdtempSync(join(folder, 'empty-'));
  await expect(runTests([empty], options)).rejects.toMatchObject({ code: 'FILE_MISSING' });
});

it('steers no terminal with the data that it shows', async () => {
  const { said } = await run(`${COMMON}
TEST 'escape';
FEED s VALUES (chr(27) || '[2J', 1);
EXPECT SELECT k FROM v;
-- k
`);
  expect(said).toContain(String.raw`E'\u001b[2J'`);
  expect(said).not.toContain('\u001b');
});
