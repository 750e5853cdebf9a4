import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { SinkContext, SinkWriter } from '../src/base/connector.ts';
import type { Column } from '../src/base/schema.ts';
import { raw, sql } from '../src/base/sql.ts';
import { realDisk } from '../src/connectors/sinks/file/disk.ts';
import { fileSink, fileSinkIn } from '../src/connectors/sinks/file-sink.ts';
import { refusal } from './support/sequence-bench.ts';
import { openSinkBench, planSink, visibleParts, visibleRows, type SinkBench } from './support/sink-bench.ts';

const COLUMNS: readonly Column[] = [
  { name: 'id', type: 'INTEGER' },
  { name: 'Day', type: 'DATE' },
  { name: 'where', type: 'VARCHAR' },
];

let bench: SinkBench;
let cwd: string;
let clock = 0;
beforeAll(async () => {
  bench = await openSinkBench();
});
afterAll(() => bench.close());
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'file-sink-'));
  clock = Date.now();
});
afterEach(() => rmSync(cwd, { recursive: true }));

type Options = Readonly<Record<string, string>>;
const sink = fileSinkIn({ disk: realDisk, pauses: [], now: () => clock });

const opened = async (options: Options, columns = COLUMNS, parts: Partial<SinkContext> = {}): Promise<SinkWriter> => {
  const writer = planSink(sink, { path: 'out', ...options }, { columns, cwd }).open(bench.context(parts));
  await writer.open();
  return writer;
};

const write = async (writer: SinkWriter, epoch: number, values: string, columns = COLUMNS): Promise<void> => {
  await writer.stage(epoch, await bench.delta(columns, values), values === '' ? 0 : 1);
  await writer.publish(epoch);
};

const out = (...names: readonly string[]): string => join(cwd, 'out', ...names);
const parts = (): readonly string[] => visibleParts(out());
const ids = (): readonly number[] => visibleRows(out()).map((row) => Number(row['id']));
const rows = async (text: string): Promise<readonly (readonly unknown[])[]> => (await bench.connection.table(raw(text))).rows; // prettier-ignore

describe('folders by the values of columns', () => {
  test('each epoch is a part in each folder that its rows belong to, without the columns', async () => {
    const writer = await opened({ partition_by: 'day, where' });
    await write(writer, 1, `(1, '2024-01-01', 'fr'), (2, '2024-01-02', 'fr'), (3, '2024-01-01', 'fr')`);
    await write(writer, 2, `(4, '2024-01-01', 'fr')`);
    await write(writer, 3, '');
    expect(parts()).toEqual([
      'Day=2024-01-01/where=fr/part-00000001.json',
      'Day=2024-01-01/where=fr/part-00000002.json',
      'Day=2024-01-02/where=fr/part-00000001.json',
    ]);
    expect(readFileSync(out('Day=2024-01-01/where=fr/part-00000001.json'), 'utf8')).toBe('{"id":1}\n{"id":3}\n');
  });

  test('odd values are written as Hive does, and come back', async () => {
    for (const format of ['json', 'csv', 'parquet']) {
      const writer = await opened({ path: `out/${format}`, partition_by: '"where"', format });
      const odd = ['a/b', 'x y', 'ü%=\n', '', '..', '"q"', `it''s`, 'a+b:c', '#*?\\'];
      await write(writer, 1, [...odd.map((value, i) => `(${i}, NULL, '${value}')`), '(99, NULL, NULL)'].join());
      const reader = { json: 'read_json', csv: 'read_csv', parquet: 'read_parquet' }[format] ?? '';
      const back = await rows(
        `SELECT "where", id FROM ${reader}('${out(format)}/*/*.${format}', hive_partitioning = true, hive_types_autocast = false) ORDER BY id`,
      );
      expect(back.map(([where]) => where)).toEqual([...odd.map((value) => value.replace("''", "'")), null]);
      expect(back.map(([, id]) => Number(id))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 99]);
    }
    expect(parts().filter((name) => name.startsWith('json/')).slice(0, 4)).toEqual([
      'json/where=%22q%22/part-00000001.json',
      'json/where=%23%2A%3F%5C/part-00000001.json',
      'json/where=%C3%BC%25%3D%0A/part-00000001.json',
      'json/where=../part-00000001.json',
    ]); // prettier-ignore
  });

  test('values that have the same folder do not write over each other', async () => {
    const writer = await opened({ partition_by: 'where' });
    await write(writer, 1, `(1, NULL, NULL), (2, NULL, '__HIVE_DEFAULT_PARTITION__')`);
    expect(parts().map((name) => name.split('/')[1])).toEqual(['part-00000001.1.json', 'part-00000001.json']);
    expect(ids().toSorted((a, b) => a - b)).toEqual([1, 2]);
  });

  test('rows keep their order, also where a folder gets several parts', async () => {
    const columns = [{ name: 'n', type: 'INTEGER' }, { name: 'k', type: 'INTEGER' }]; // prettier-ignore
    const writer = await opened({ partition_by: 'k', format: 'csv' }, columns);
    await bench.connection.run(
      sql`CREATE OR REPLACE TABLE delta AS SELECT range::INTEGER AS n, ((range * 7919) % 150)::INTEGER AS k FROM range(400000)`,
    );
    await writer.stage(1, raw('delta'), 400_000);
    await writer.publish(1);
    const byFolder = Map.groupBy(parts(), (name) => name.split('/')[0] ?? '');
    expect(byFolder.size).toBe(150);
    let seen = 0;
    for (const names of byFolder.values()) {
      const index = (name: string): number => Number(/\.(\d+)\.csv/.exec(name)?.[1] ?? 0);
      const numbers = names
        .toSorted((a, b) => index(a) - index(b))
        .flatMap((name) => readFileSync(out(name), 'utf8').trimEnd().split('\n').slice(1).map(Number));
      expect(numbers.every((n, i) => i === 0 || n > (numbers[i - 1] ?? 0))).toBe(true);
      seen += numbers.length;
    }
    expect(seen).toBe(400_000);
  });

  test('a line of JSON is the same in a folder', async () => {
    const columns: readonly Column[] = [
      { name: 'k', type: 'INTEGER' },
      { name: 'odd "name"', type: 'STRUCT(a DECIMAL(5,2), b TIMESTAMP[])' },
      { name: 'd', type: 'DOUBLE' },
      { name: 't', type: 'VARCHAR' },
    ];
    const values = `(1, {a: 1.5, b: [TIMESTAMP '2024-01-01 10:00:00.5', NULL]}, 'nan', 'tab\tquote"line\n'), (1, NULL, '0.1', NULL)`;
    await write(await opened({ path: 'out/flat' }, columns), 1, values, columns);
    await write(await opened({ path: 'out/folders', partition_by: 'k' }, columns), 1, values, columns);
    expect(readFileSync(out('folders/k=1/part-00000001.json'), 'utf8')).toBe(
      readFileSync(out('flat/part-00000001.json'), 'utf8').replaceAll('"k":1,', ''),
    );
  });

  test('what names no folder is refused', () => {
    const columns = [...COLUMNS, { name: 'list', type: 'INTEGER[]' }];
    const planned = (by: string) => refusal(() => planSink(sink, { path: 'out', partition_by: by }, { columns }));
    expect(planned('dya')).toMatchObject({ code: 'OPTION', hint: 'did you mean Day?' });
    expect(planned('id, ')).toMatchObject({ message: 'sink out: partition_by names no column, which is no column of the sink' }); // prettier-ignore
    expect(planned('id, ID')).toMatchObject({ message: 'sink out: partition_by names id twice' });
    expect(planned('list')).toMatchObject({ hint: 'cast it to VARCHAR' });
    expect(planned('id,day,where,list')).toMatchObject({ code: 'OPTION' });
  });
});

describe('several epochs in a part', () => {
  test('by size', async () => {
    const writer = await opened({ roll_size: '60 B' });
    await write(writer, 1, `(1, NULL, NULL)`);
    await write(writer, 2, '');
    expect(parts()).toEqual([]);
    await write(writer, 3, `(2, NULL, NULL)`);
    expect(parts()).toEqual(['part-00000001-00000003.json']);
    await write(writer, 4, `(3, NULL, NULL)`);
    expect(ids()).toEqual([1, 2]);
    await writer.finish?.();
    expect(parts()).toEqual(['part-00000001-00000003.json', 'part-00000004.json']);
    expect(ids()).toEqual([1, 2, 3]);
  });

  test('by age, also while nothing comes', async () => {
    const writer = await opened({ roll_interval: '1 minute', partition_by: 'where', format: 'csv' });
    await write(writer, 1, `(1, NULL, 'a'), (2, NULL, 'b')`);
    clock += 59_000;
    await write(writer, 2, `(3, NULL, 'a')`);
    await writer.tick?.();
    expect(parts()).toEqual([]);
    clock += 2000;
    await writer.tick?.();
    expect(parts()).toEqual(['where=a/part-00000001-00000002.csv', 'where=b/part-00000001-00000002.csv']);
    expect(readFileSync(out('where=a/part-00000001-00000002.csv'), 'utf8')).toBe('id,Day\n1,\n3,\n');
  });

  test('a stop keeps what waits for the next run, its age with it', async () => {
    const options = { roll_interval: '1 minute' };
    const first = await opened(options);
    await write(first, 1, `(1, NULL, NULL)`);
    await first.close();
    const second = await opened(options, COLUMNS, { resume: { epoch: 1 } });
    expect(await second.isPublished(1)).toBe(true);
    expect(parts()).toEqual([]);
    clock += 61_000;
    await write(second, 2, `(2, NULL, NULL)`);
    expect(parts()).toEqual(['part-00000001-00000002.json']);
    await second.close();
  });

  test('what waits is a part at once where the next run gathers no more', async () => {
    await write(await opened({ roll_size: '1 MB' }), 1, `(1, NULL, NULL)`);
    const second = await opened({ format: 'csv' }, COLUMNS, { resume: { epoch: 1 } });
    expect(parts()).toEqual(['part-00000001.csv']);
    await write(second, 2, `(2, NULL, NULL)`);
    expect(parts()).toEqual(['part-00000001.csv', 'part-00000002.csv']);
  });

  test('no type loses anything on the way, whatever the folder is called', async () => {
    const columns: readonly Column[] = [
      { name: 'filename', type: 'HUGEINT' },
      { name: 'n', type: 'STRUCT("HUGEINT" UHUGEINT, l INTERVAL[])' },
      { name: 'i', type: 'INTERVAL' },
      { name: 'z', type: 'TIME WITH TIME ZONE' },
      { name: 'u', type: 'UNION(num INTEGER, str VARCHAR)' },
      { name: 'e', type: `ENUM('HUGEINT', 'b')` },
      { name: 'b', type: 'BIT' },
      { name: 's', type: 'TIMESTAMP_NS' },
      { name: 'd', type: 'DOUBLE' },
    ];
    const values = `(170141183460469231731687303715884105727, {'HUGEINT': 340282366920938463463374607431768211455, l: [INTERVAL '-1 month 1 microsecond']},
      '-1 day 00:00:00.000001', '10:00:00.5+05:30', union_value(str := 'x'), 'HUGEINT', '0101', '2024-01-01 00:00:00.123456789', '-0.0')`;
    const folder = 'out/job=1/a[b]*';
    const writer = await opened({ path: folder, roll_size: '1 GB' }, columns);
    await write(writer, 1, values, columns);
    await writer.finish?.();
    await write(await opened({ path: 'out/flat' }, columns), 1, values, columns);
    expect(readFileSync(join(cwd, folder, 'part-00000001.json'), 'utf8')).toBe(readFileSync(out('flat/part-00000001.json'), 'utf8')); // prettier-ignore
  });

  test('no pattern of a reader finds what waits', async () => {
    const writer = await opened({ roll_size: '1 GB', format: 'parquet', partition_by: 'where' });
    await write(writer, 1, `(1, NULL, 'a')`);
    await writer.stage(2, await bench.delta(COLUMNS, `(2, NULL, 'a')`), 1);
    expect(await rows(`SELECT file FROM glob('${out()}/**/*.parquet')`)).toEqual([]);
    await writer.publish(2);
    await writer.finish?.();
    expect(await rows(`SELECT id FROM read_parquet('${out()}/**/*.parquet') ORDER BY id`)).toEqual([[1], [2]]);
  });
});

describe('formats', () => {
  test.each([
    ['json', 'none', 'json'],
    ['json', 'gzip', 'json.gz'],
    ['json', 'zstd', 'json.zst'],
    ['csv', 'gzip', 'csv.gz'],
    ['csv', 'zstd', 'csv.zst'],
    ['parquet', 'none', 'parquet'],
    ['parquet', 'snappy', 'parquet'],
    ['parquet', 'gzip', 'parquet'],
    ['parquet', 'zstd', 'parquet'],
  ])('%s with compression %s, in one folder, in several, and gathered', async (format, compression, extension) => {
    const reader = { json: 'read_json', csv: 'read_csv', parquet: 'read_parquet' }[format] ?? '';
    for (const [path, options] of Object.entries<Options>({
      a: {},
      b: { partition_by: 'where' },
      c: { roll_size: '1 B' },
    })) {
      const writer = await opened({ path: `out/${path}`, format, compression, ...options });
      await write(writer, 1, `(1, '2024-01-01', 'x'), (2, NULL, 'x')`);
      const [part = ''] = visibleParts(out(path));
      expect(part).toBe(`${path === 'b' ? 'where=x/' : ''}part-00000001.${extension}`);
      const back = await rows(`SELECT id::INTEGER, "where" FROM ${reader}('${out(path, part)}', hive_partitioning = true) ORDER BY id`); // prettier-ignore
      expect(back).toEqual([[1, 'x'], [2, 'x']]); // prettier-ignore
      if (format !== 'parquet') continue;
      const [codec] = await rows(`SELECT DISTINCT compression FROM parquet_metadata('${out(path, part)}')`);
      expect(codec).toEqual([compression === 'none' ? 'UNCOMPRESSED' : compression.toUpperCase()]);
    }
  });

  test('JSON stays JSON, also within', async () => {
    const columns = [{ name: 'n', type: 'STRUCT(d DOUBLE, l FLOAT[])' }, { name: 'k', type: 'INTEGER' }]; // prettier-ignore
    const values = `({d: 'nan', l: ['inf', '1.5']}, 1), (NULL, 1), ({d: '0.5', l: []}, 1)`;
    const lines = [
      { n: { d: 'nan', l: ['inf', '1.5'] }, k: 1 },
      { n: null, k: 1 },
      { n: { d: 0.5, l: [] }, k: 1 },
    ];
    await write(await opened({}, columns), 1, values, columns);
    expect(visibleRows(out())).toEqual(lines);
    await write(await opened({ partition_by: 'k', path: 'out/k' }, columns), 1, values, columns);
    expect(visibleRows(out('k'))).toEqual(lines.map(({ n }) => ({ n, k: '1' })));
  });

  test('snappy is for Parquet', () => {
    expect(refusal(() => planSink(fileSink, { path: 'out', compression: 'snappy' }, { columns: COLUMNS }))).toMatchObject({
      code: 'OPTION',
      hint: 'it takes none, gzip or zstd',
    }); // prettier-ignore
  });

  test('Parquet has exact types in place of those that it would cut short', async () => {
    const columns = [{ name: 'h', type: 'HUGEINT[]' }, { name: 'i', type: 'INTERVAL' }]; // prettier-ignore
    await write(await opened({ format: 'parquet' }, columns), 1, `([12345678901234567890123456789], '-1 day 00:00:00.000001')`, columns); // prettier-ignore
    const read = await bench.connection.table(raw(`SELECT * FROM '${out('part-00000001.parquet')}'`));
    expect(read.columns.map(({ type }) => type)).toEqual(['DECIMAL(38,0)[]', 'VARCHAR']);
    expect(read.rows).toEqual([[['12345678901234567890123456789'], '-1 day 00:00:00.000001']]);
  });
});

test('a run that is over is replaced by the next, folders and all; what is not the sink’s own stays', async () => {
  const first = await opened({ partition_by: 'where', roll_size: '1 GB' });
  await write(first, 1, `(1, NULL, 'a'), (2, NULL, 'b')`);
  await first.finish?.();
  mkdirSync(out('where=b', 'mine'));
  await opened({ partition_by: 'where' });
  expect(parts()).toEqual([]);
  expect((await realDisk.list(out())).map(({ name }) => name)).toEqual(['.streamsql-sink', 'where=b']);
});
