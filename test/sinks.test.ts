import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { SinkConnector, SinkContext, SinkPlan, SinkWriter } from '../src/base/connector.ts';
import type { Column } from '../src/base/schema.ts';
import { ident, sql, type Sql } from '../src/base/sql.ts';
import { sinks, sources } from '../src/connectors/registry.ts';
import { fileSink } from '../src/connectors/sinks/file-sink.ts';
import { printSink } from '../src/connectors/sinks/print-sink.ts';
import { refusal } from './support/sequence-bench.ts';
import { openSinkBench, planSink, type SinkBench } from './support/sink-bench.ts';

const COLUMNS: readonly Column[] = [
  { name: 'k', type: 'VARCHAR' },
  { name: 'total amount', type: 'HUGEINT' },
  { name: 'share', type: 'DOUBLE' },
];

let bench: SinkBench;
let cwd: string;
beforeAll(async () => {
  bench = await openSinkBench();
});
afterAll(() => bench.close());
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'sinks-'));
});
afterEach(() => rmSync(cwd, { recursive: true }));

const plan = (connector: SinkConnector, options: Readonly<Record<string, string>>, name = 'out'): SinkPlan =>
  planSink(connector, options, { name, columns: COLUMNS, cwd });

const delta = (values: string): Promise<Sql> => bench.delta(COLUMNS, values);

const opened = async (
  options: Readonly<Record<string, string>> = { path: 'out' },
  parts: Partial<SinkContext> = {},
  name?: string,
): Promise<SinkWriter> => {
  const writer = plan(fileSink, options, name).open(bench.context(parts));
  await writer.open();
  return writer;
};

const epoch = async (writer: SinkWriter, number: number, values: string, rows = 1): Promise<void> => {
  await writer.stage(number, await delta(values), rows);
  await writer.publish(number);
};

const parts = (folder = 'out'): readonly string[] =>
  readdirSync(join(cwd, folder)).filter((name) => !name.startsWith('.'));
const text = (name: string): string => readFileSync(join(cwd, 'out', name), 'utf8');

describe('the file sink', () => {
  test('writes a part for each epoch that has rows, seen only once it is published', async () => {
    const writer = await opened({ path: 'deep/out' });
    await writer.stage(3, await delta(`('a', 1, 0.5), ('b', NULL, 2)`), 2);
    expect(parts('deep/out')).toEqual([]);
    await writer.publish(3);
    expect(parts('deep/out')).toEqual(['part-00000003.json']);
    await epoch(writer, 4, `('x', 1, 1)`, 0);
    await epoch(writer, 123_456_789, `('c', 3, 1)`);
    await writer.close();
    expect(parts('deep/out')).toEqual(['part-00000003.json', 'part-123456789.json']);
    const lines = readFileSync(join(cwd, 'deep/out/part-00000003.json'), 'utf8').trim().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { k: 'a', 'total amount': 1, share: 0.5 },
      { k: 'b', 'total amount': null, share: 2 },
    ]);
  });

  test('JSON stays JSON: what has no number there is text', async () => {
    const writer = await opened();
    await epoch(writer, 1, `('a', 170141183460469231731687303715884105727, 'nan'), ('b', 2, '-inf')`, 2);
    expect(text('part-00000001.json')).toBe(
      '{"k":"a","total amount":170141183460469231731687303715884105727,"share":"nan"}\n' +
        '{"k":"b","total amount":2,"share":"-inf"}\n',
    );
  });

  test('CSV has a header', async () => {
    const writer = await opened({ path: 'out', format: 'csv' });
    await epoch(writer, 1, `('a,b', 1, 0.5), (NULL, 2, 1)`, 2);
    expect(text('part-00000001.csv')).toBe('k,total amount,share\n"a,b",1,0.5\n,2,1.0\n');
  });

  test('Parquet keeps every digit', async () => {
    const writer = await opened({ path: 'out', format: 'parquet' });
    await epoch(writer, 1, `('a', 12345678901234567890123456789, 0.5)`);
    const path = join(cwd, 'out', 'part-00000001.parquet');
    const read = await bench.connection.table(sql`SELECT * FROM read_parquet(${path})`);
    expect(read.columns.map(({ type }) => type)).toEqual(['VARCHAR', 'DECIMAL(38,0)', 'DOUBLE']);
    expect(read.rows).toEqual([['a', '12345678901234567890123456789', 0.5]]);
  });

  test('an epoch may be staged again and published again, the last time counts', async () => {
    const writer = await opened({ path: 'out', format: 'csv' });
    await writer.stage(1, await delta(`('old', 1, 1)`), 1);
    await epoch(writer, 1, `('new', 1, 1)`);
    await writer.publish(1);
    expect(text('part-00000001.csv')).toBe('k,total amount,share\nnew,1,1.0\n');
  });

  test('rows keep their order in a large part', async () => {
    await bench.connection.run(
      sql`CREATE OR REPLACE TABLE delta AS
        SELECT CAST(range AS VARCHAR) AS k, CAST(range AS HUGEINT) AS "total amount", 1.0::DOUBLE AS share FROM range(300000)`,
    );
    const writer = await opened();
    await writer.stage(1, ident('delta'), 300_000);
    await writer.publish(1);
    const numbers = text('part-00000001.json')
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { k: string }).k);
    expect(numbers.length).toBe(300_000);
    expect(numbers.every((k, i) => k === String(i))).toBe(true);
  });

  test('a finished run may be run again: its parts are replaced', async () => {
    const first = await opened();
    await epoch(first, 1, `('a', 1, 1)`);
    await epoch(first, 2, `('b', 1, 1)`);
    await first.finish?.();
    await first.close();
    writeFileSync(join(cwd, 'out', 'notes.txt'), 'mine');
    const second = await opened({ path: 'out', format: 'csv' });
    await epoch(second, 1, `('c', 1, 1)`);
    expect(parts()).toEqual(['notes.txt', 'part-00000001.csv']);
  });

  test('parts of a run that did not finish are refused, and removed for a fresh start', async () => {
    const first = await opened();
    await epoch(first, 1, `('a', 1, 1)`);
    await first.stage(2, await delta(`('b', 1, 1)`), 1);
    await first.close();
    await expect(opened()).rejects.toMatchObject({
      code: 'SINK',
      message: expect.stringContaining('a run that did not come to its end') as string,
      hint: 'run with --fresh to remove them, or give another path',
    });
    expect(parts()).toEqual(['part-00000001.json']);
    await opened({ path: 'out' }, { fresh: true });
    expect(readdirSync(join(cwd, 'out'))).toEqual(['.streamsql-sink']);
  });

  test('what is staged and never published goes at the next start', async () => {
    const first = await opened();
    await first.stage(1, await delta(`('b', 1, 1)`), 1);
    expect(readdirSync(join(cwd, 'out'))).toContain('.part-00000001.json.tmp');
    await opened();
    expect(readdirSync(join(cwd, 'out'))).toEqual(['.streamsql-sink']);
  });

  test('parts that are not the sink’s own are never touched', async () => {
    mkdirSync(join(cwd, 'out'));
    writeFileSync(join(cwd, 'out', 'part-00000001.json'), '{}');
    for (const fresh of [false, true]) {
      await expect(opened({ path: 'out' }, { fresh })).rejects.toMatchObject({
        code: 'SINK',
        message: expect.stringContaining('did not write') as string,
      });
    }
    expect(text('part-00000001.json')).toBe('{}');
    await opened({ path: 'shared' });
    await expect(opened({ path: 'shared' }, { fresh: true }, 'other')).rejects.toMatchObject({
      code: 'SINK',
      message: expect.stringContaining('belongs to the sink out') as string,
    });
  });

  test('a folder that cannot be had, and a part that cannot be written, are SINK errors', async () => {
    writeFileSync(join(cwd, 'out'), 'a file');
    await expect(opened()).rejects.toMatchObject({ code: 'SINK', exitCode: 3 });
    const writer = await opened({ path: 'other' });
    rmSync(join(cwd, 'other'), { recursive: true });
    await expect(writer.stage(1, await delta(`('a', 1, 1)`), 1)).rejects.toMatchObject({
      code: 'SINK',
      message: expect.stringContaining('sink out cannot write epoch 1') as string,
    });
  });

  test('needs a path, and knows its formats', () => {
    expect(refusal(() => plan(fileSink, {}))).toMatchObject({
      code: 'OPTION',
      message: 'the file sink needs the option path',
    });
    expect(refusal(() => plan(fileSink, { path: ' ' }))).toMatchObject({
      code: 'OPTION',
      hint: "write path = 'out/out'",
    });
    expect(refusal(() => plan(fileSink, { path: 'x', format: 'parket' }))).toMatchObject({
      code: 'OPTION',
      message: expect.stringContaining('did you mean parquet?') as string,
    });
  });
});

describe('the print sink', () => {
  const printing = async (options: Readonly<Record<string, string>>): Promise<readonly unknown[]> => {
    const printed: unknown[] = [];
    const writer = plan(printSink, options).open(bench.context({ print: (...shown) => printed.push(shown) }));
    await writer.open();
    await writer.stage(1, await delta(`('a', 1, 0.5), ('b', 2, 1)`), 2);
    expect(printed).toEqual([]);
    await delta(`('c', 3, 3)`);
    await writer.publish(1);
    await writer.publish(1);
    await epoch(writer, 2, `('d', 1, 1)`, 0);
    await writer.close();
    return printed;
  };
  const a = { k: 'a', 'total amount': 1n, share: 0.5 };
  const b = { k: 'b', 'total amount': 2n, share: 1 };

  test('shows the rows of an epoch once, when it is published', async () => {
    expect(await printing({})).toEqual([['out', COLUMNS, [a, b]]]);
  });

  test('shows the first rows up to its limit', async () => {
    expect(await printing({ limit: '1' })).toEqual([['out', COLUMNS, [a]]]);
  });
});

test('the registry has every connector under its name, and a sentence on each option', () => {
  expect(sources.map(({ name }) => name)).toEqual(['kafka', 'file', 'http', 'socket', 'stdin', 'nexmark', 'generator']);
  expect(sinks.map(({ name }) => name)).toEqual(['file', 'print', 'kafka', 'http']);
  for (const connector of [...sources, ...sinks]) {
    for (const [name, { doc }] of Object.entries(connector.options))
      expect([name, doc.length > 10]).toEqual([name, true]);
  }
});
