import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Duck, type DuckConnection } from '../src/exec/duck.ts';
import { openSqlService } from '../src/exec/sql-service.ts';
import { parseScript } from '../src/parser/parse.ts';
import { expressions, isNode, type AstNode } from '../src/planner/ast.ts';
import { bindText } from '../src/planner/bind-text.ts';
import type { QueryContext } from '../src/planner/context.ts';
import type { SqlService } from '../src/planner/sql-service.ts';
import { readWindowCall } from '../src/planner/window-calls.ts';

let duck: Duck;
let connection: DuckConnection;
let service: SqlService;
beforeAll(async () => {
  duck = await Duck.open(':memory:');
  connection = await duck.connect();
  service = await openSqlService(connection);
  await service.declare('t', [
    { name: 'a', type: 'BIGINT' },
    { name: 'b', type: 'VARCHAR' },
    { name: 'c', type: 'STRUCT(x INTEGER)' },
    { name: 'ts', type: 'TIMESTAMP' },
  ]);
});
afterAll(() => {
  connection.close();
  duck.close();
});

/** The call in FROM, or else the first of GROUP BY, as the planner reads it; sizes in seconds. */
async function read(query: string): Promise<object> {
  const [statement] = parseScript(query, 'a.sql').statements;
  if (statement?.kind !== 'select') throw new Error(`no SELECT: ${query}`);
  const text = statement.query.sql;
  await service.bind(bindText(text));
  const root = await service.parse(text);
  const context: QueryContext = {
    service, text, root, emit: 'changes', emitSpan: undefined, nextId: (hint) => hint, lookup: () => Promise.resolve(undefined),
  }; // prettier-ignore
  const from = root['from_table'];
  const inFrom = isNode(from) && isNode(from['function']) ? from['function'] : undefined;
  const call: AstNode | undefined = inFrom ?? expressions(root['group_expressions'])[0];
  if (call === undefined) throw new Error(`no call: ${query}`);
  const { shape, data, column, slide, size, offset, partitionBy } = await readWindowCall(
    context,
    call,
    inFrom !== undefined,
  );
  const print = (expression: typeof column): Promise<string> => service.print({ ...expression, alias: '' });
  return {
    shape,
    data: data === undefined ? undefined : await print(data),
    column: await print(column),
    seconds: [slide, size, offset].map((micros) => Number(micros) / 1e6),
    keys: await Promise.all(partitionBy.map(print)),
  };
}

const MINUTE = 60;
const DAY = 24 * 60 * MINUTE;
/** FROM or GROUP BY; the shape; slide, size and offset in seconds; the keys of SESSION. */
const CALLS: readonly (readonly [call: string, shape: string, seconds: readonly number[], keys?: readonly string[]])[] = [
  ['TUMBLE(t, ts, 5s)', 'tumble', [5, 5, 0]],
  ['TUMBLE(t, ts, 5s, 1s)', 'tumble', [5, 5, 1]],
  ["TUMBLE(t, ts, INTERVAL '1 day', INTERVAL '-8 hours')", 'tumble', [DAY, DAY, DAY * (2 / 3)]],
  ["TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' DAY, INTERVAL '25' HOUR))", 'tumble', [DAY, DAY, 60 * MINUTE]],
  ['TABLE(TUMBLE(DATA => TABLE t, TIMECOL => DESCRIPTOR(ts), SIZE => 5s, OFFSET => 5s))', 'tumble', [5, 5, 0]],
  ['TUMBLE("offset" => 2s, size => 5s, timecol => ts, data => t)', 'tumble', [5, 5, 2]],
  ['HOP(t, ts, 5s, 15s)', 'hop', [5, 15, 0]],
  ['HOP(t, ts, 5s, 15s, 7s)', 'hop', [5, 15, 2]],
  ['TABLE(HOP(TABLE t, DESCRIPTOR(ts), SLIDE => 5s, SIZE => 15s, OFFSET => 1s))', 'hop', [5, 15, 1]],
  ['CUMULATE(t, ts, 5s, 15s)', 'cumulate', [5, 15, 0]],
  ['CUMULATE(t, ts, 5s, 15s, 7s)', 'cumulate', [5, 15, 7]],
  ['TABLE(CUMULATE(DATA => TABLE t, TIMECOL => DESCRIPTOR(ts), STEP => 5s, SIZE => 15s))', 'cumulate', [5, 15, 0]],
  ['SESSION(t, ts, 5m)', 'session', [5 * MINUTE, 5 * MINUTE, 0]],
  ['SESSION(t, ts, 5m, partition_by => [a, lower(b)])', 'session', [5 * MINUTE, 5 * MINUTE, 0], ['a', 'lower(b)']],
  ['SESSION(t, ts, 5m, [a])', 'session', [5 * MINUTE, 5 * MINUTE, 0], ['a']],
  ['SESSION(t, ts, 5m, partition_by => a)', 'session', [5 * MINUTE, 5 * MINUTE, 0], ['a']],
  ['SESSION(t, ts, 5m, partition_by => [])', 'session', [5 * MINUTE, 5 * MINUTE, 0]],
  ["SESSION(TABLE t PARTITION BY a, DESCRIPTOR(ts), INTERVAL '5' MINUTE)", 'session', [5 * MINUTE, 5 * MINUTE, 0], ['a']],
  ["TABLE(SESSION(TABLE t PARTITION BY (a, c), DESCRIPTOR(ts), INTERVAL '5' MINUTE)) AS w", 'session', [5 * MINUTE, 5 * MINUTE, 0], ['a', 'c']],
  ['SESSION(DATA => TABLE t PARTITION BY `b`, TIMECOL => DESCRIPTOR(ts), GAP => 5m)', 'session', [5 * MINUTE, 5 * MINUTE, 0], ['b']],
]; // prettier-ignore

describe('in FROM', () => {
  for (const [call, shape, seconds, keys = []] of CALLS) {
    test(call, async () => {
      const query = `SELECT window_start, window_end, window_time, count(*) FROM ${call} GROUP BY ALL`;
      expect(await read(query)).toEqual({ shape, data: 't', column: 'ts', seconds, keys });
    });
  }
});

const GROUPS: readonly (readonly [name: string, sizes: string, shape: string, seconds: readonly number[]])[] = [
  ['TUMBLE', "INTERVAL '1' HOUR", 'tumble', [3600, 3600, 0]],
  ['TUMBLE', "INTERVAL '1' HOUR, INTERVAL '90' MINUTE", 'tumble', [3600, 3600, 1800]],
  ['HOP', '5s, 15s', 'hop', [5, 15, 0]],
  ['HOP', '5s, 15s, 1s', 'hop', [5, 15, 1]],
  ['SESSION', "INTERVAL '5' MINUTE", 'session', [300, 300, 0]],
];

describe('in GROUP BY', () => {
  test.each(GROUPS)('%s(ts, %s)', async (name, sizes, shape, seconds) => {
    const bounds = ['START', 'END', 'ROWTIME', 'PROCTIME'].map(
      (bound) => `${name}_${bound}(t.ts, ${sizes}) AS ${bound}`,
    );
    const query = `SELECT a, ${bounds.join(', ')}, count(*) FROM t GROUP BY ${name}(t.ts, ${sizes}), a`;
    expect(await read(query)).toEqual({ shape, data: undefined, column: 't.ts', seconds, keys: [] });
  });
});

/** What is refused, where, and what it says. */
const REFUSED: readonly (readonly [query: string, at: string, says: string])[] = [
  ['FROM TUMBLE(t, tss, 5s)', 'tss', 'Referenced column "tss" not found'],
  ['FROM TUMBLE(data => t, timecol => tss, size => 5s)', 'tss', 'Referenced column "tss" not found'],
  ['FROM TUMBLE(u, ts, 5s)', 'u', 'Table with name u does not exist'],
  ['FROM TUMBLE((SELECT * FROM t WHERE d), ts, 5s) AS x', 'd', 'Referenced column "d" not found'],
  ['FROM TUMBLE(HOP(t, tss, 1s, 2s), window_end, 5s)', 'tss', 'Referenced column "tss" not found'],
  ['FROM SESSION(t PARTITION BY a, d, DESCRIPTOR(ts), 5s)', 'd', 'Referenced column "d" not found'],
  ['FROM TUMBLE(t PARTITION BY a, DESCRIPTOR(ts), 5s)', 'a', 'TUMBLE does not take an argument partition_by'],
  ['FROM TUMBLE(t, ts, 5s, gap => 1s)', '1s', 'it takes data, timecol, size, offset'],
  ['FROM TUMBLE(t, ts, 5s, 1s, 2s)', '2s', 'TUMBLE does not take this many arguments'],
  ['FROM SESSION(t, ts)', 'SESSION', 'SESSION lacks its gap; write SESSION(data, timecol, gap)'],
  ['FROM CUMULATE(t, ts, 4s, 10s)', '10s', 'the size of CUMULATE is a multiple of its step'],
  ["FROM TUMBLE(t, ts, 4s, INTERVAL '1' MONTH)", "'1'", 'months differ in length'],
  ['FROM TUMBLE(t, ts, 0s)', '0s', 'a window is longer than nothing'],
  ['FROM t GROUP BY CUMULATE(ts, 5s, 10s)', 'CUMULATE', 'write FROM CUMULATE(data, timecol, step, size)'],
  ['FROM t GROUP BY SESSION(ts, to_seconds(a))', 'to_seconds', 'SESSION takes constant intervals'],
];

test.each(REFUSED)('%s is refused', async (from, at, says) => {
  const query = `SELECT count(*) ${from}`;
  const error = await read(query).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ span: { start: query.lastIndexOf(at) } });
  const { message, hint } = error as { message: string; hint?: string };
  expect(`${message}; ${hint}`).toContain(says);
});
