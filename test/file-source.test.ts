import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { Chunk, SourceReader } from '../src/base/connector.ts';
import { checkOptions } from '../src/base/options.ts';
import type { Column } from '../src/base/schema.ts';
import { ident, raw, sql } from '../src/base/sql.ts';
import { fileSource, planFile } from '../src/connectors/file/file.ts';
import { decode } from '../src/exec/decode/decoder.ts';
import { connection, folder, scratch, useReaderBench } from './support/reader-bench.ts';

const SPAN = { start: 0, end: 0 };
const COLUMNS: readonly Column[] = [
  { name: 'id', type: 'BIGINT' },
  { name: 'name', type: 'VARCHAR' },
];

useReaderBench('file-source');

type Options = Readonly<Record<string, string>>;

function put(name: string, content: string | Buffer): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), content);
}

async function open(options: Options, columns = COLUMNS, longestRecord = 1 << 28): Promise<SourceReader> {
  const given = Object.entries(options).map(([name, value]) => ({ name, value, nameSpan: SPAN, valueSpan: SPAN }));
  const checked = checkOptions(given, fileSource.options, 'the connector file', SPAN);
  const declaration = {
    name: 's',
    columns,
    primaryKey: [],
    computed: [],
    options: checked,
    span: SPAN,
    cwd: folder,
    stem: 's',
  };
  const reader = planFile(declaration, longestRecord).open({
    scratch,
    parallelism: 2,
    query: (query) => connection.rows(query),
    notice: () => {},
    signal: new AbortController().signal,
  });
  await reader.open();
  return reader;
}

const plan = (columns: readonly Column[]): Parameters<typeof decode>[1] => ({
  source: 's',
  strict: false,
  columns,
  computed: [],
  proctime: [],
  eventTime: undefined,
  identity: true,
});

interface Everything {
  readonly rows: readonly (readonly unknown[])[];
  readonly dead: readonly (readonly unknown[])[];
  readonly chunks: readonly Chunk[];
}

/** Polls to the end, decodes each poll, and checks what holds for every reader. */
async function readAll(reader: SourceReader, columns = COLUMNS, maxRecords = 1000): Promise<Everything> {
  try {
    return await drain(reader, columns, maxRecords);
  } finally {
    await reader.close();
  }
}

async function drain(reader: SourceReader, columns: readonly Column[], maxRecords: number): Promise<Everything> {
  const all = { rows: [] as unknown[][], dead: [] as unknown[][], chunks: [] as Chunk[] };
  const positions = reader.partitions.map(({ position }) => position);
  for (let polls = 0; reader.partitions.some(({ done }) => !done); polls++) {
    expect(polls).toBeLessThan(10_000);
    const chunks = await reader.poll({ partitions: 'all', maxRecords, waitMs: 0 });
    for (const { partition, from, to, records, runs } of chunks) {
      expect(from).toBe(positions[partition]);
      expect(runs.reduce((sum, { count }) => sum + count, 0)).toBe(records);
      positions[partition] = to;
    }
    expect(reader.partitions.map(({ position }) => position)).toEqual(positions);
    const decoded = await decode(connection, plan(columns), ident('delta'), chunks, 0n);
    all.rows.push(...(await connection.table(sql`SELECT * FROM delta ORDER BY rowid`)).rows.map((row) => [...row]));
    all.dead.push(
      ...decoded.dead.map(({ partition, offset, payload, reason }) => [partition, offset, payload, reason]),
    );
    for (const chunk of chunks) chunk.release();
    all.chunks.push(...chunks);
  }
  expect(await reader.poll({ partitions: 'all', maxRecords, waitMs: 0 })).toEqual([]);
  for (const { position, end } of reader.partitions) expect(position).toBe(end);
  return all;
}

const read = async (options: Options, maxRecords?: number, columns = COLUMNS): Promise<Everything> =>
  readAll(await open(options, columns), columns, maxRecords);

describe('JSON lines', () => {
  test('byte order mark, CRLF, blank lines, a last line without its end', async () => {
    put('a.json', '\ufeff{"id":1,"name":"x"}\r\n\r\n   \n{"id":2}\r\n{"id":3}');
    for (const maxRecords of [1, 2, 1000]) {
      const { rows, dead } = await read({ path: 'a.json' }, maxRecords);
      expect(rows).toEqual([['1', 'x', 0, '0'], ['2', null, 0, '1'], ['3', null, 0, '2']]); // prettier-ignore
      expect(dead).toEqual([]);
    }
  });

  test('a dead letter names the byte at which its record starts', async () => {
    put('a.json', '\ufeff{"id":1}\n\nnope\n{"id":"é"}\n{"id":4}\n');
    const expected = [[0, 13, 'nope'], [0, 18, '{"id":"é"}']]; // prettier-ignore
    put('b.json.gz', gzipSync(readFileSync(join(folder, 'a.json'))));
    for (const path of ['a.json', 'b.json.gz'])
      for (const maxRecords of [1, 3, 1000]) {
        const { rows, dead } = await read({ path }, maxRecords);
        expect(dead.map((letter) => letter.slice(0, 3))).toEqual(expected);
        expect(rows.map((row) => [row[0], row[3]])).toEqual([['1', '0'], ['4', '3']]); // prettier-ignore
      }
  });

  test('any batch size, plain or gzip in several members, gives the same rows; big ones are cut for the threads', async () => {
    const lines = Array.from({ length: 40_000 }, (_, i) => `{"id":${i},"name":"${'n'.repeat(i % 50)}"}\n`);
    put('plain.json', lines.join(''));
    put('zip.json', Buffer.concat([gzipSync(lines.slice(0, 7).join('')), gzipSync(lines.slice(7).join(''))]));
    const whole = await read({ path: 'plain.json' }, 1_000_000);
    expect(whole.rows).toHaveLength(40_000);
    expect(whole.rows.every((row, i) => row[0] === String(i) && row[3] === String(i))).toBe(true);
    expect(whole.chunks.length).toBeGreaterThan(1);
    expect(Math.max(...whole.chunks.map(({ records }) => records))).toBeLessThanOrEqual(25_000);
    for (const [path, maxRecords] of [
      ['plain.json', 777],
      ['zip.json', 3001],
      ['zip.json', 1_000_000],
    ] as const)
      // prettier-ignore
      expect((await read({ path }, maxRecords)).rows).toEqual(whole.rows);
  });

  test('a record longer than any buffer grows it; one over the limit is a dead letter and reading goes on', async () => {
    const long = 'x'.repeat(300_000);
    put('a.json', `{"id":1}\n{"id":2,"name":"${long}"}\n{"id":3,"name":"${long}${long}"}\n{"id":4}\n`);
    put('b.json.gz', gzipSync(readFileSync(join(folder, 'a.json'))));
    for (const path of ['a.json', 'b.json.gz']) {
      const { rows, dead } = await readAll(await open({ path }, COLUMNS, 400_000), COLUMNS, 1);
      expect(rows.map((row) => [row[0], row[3]])).toEqual([['1', '0'], ['2', '1'], ['4', '3']]); // prettier-ignore
      expect(rows[1]?.[1]).toBe(long);
      expect(dead).toHaveLength(1);
      expect(dead[0]?.[1]).toBe(9 + 300_019);
      expect(dead[0]?.[3]).toBe('the record is longer than 400000 bytes; its first 65536 are kept');
      expect(String(dead[0]?.[2])).toHaveLength(65_536);
    }
  });

  test('an empty file and one of blank lines have no rows', async () => {
    put('a.json', '');
    put('b.json', '\n\n');
    const reader = await open({ path: '*.json' });
    expect(await reader.peek?.(0)).toBeUndefined();
    expect(await reader.peek?.(1)).toBeUndefined();
    expect((await readAll(reader)).rows).toEqual([]);
  });

  test('a damaged gzip file is a SOURCE error that names it', async () => {
    put('a.json.gz', gzipSync('{"id":1}\n'.repeat(10_000)).subarray(0, 60));
    await expect(read({ path: 'a.json.gz' })).rejects.toMatchObject({ code: 'SOURCE', message: /^a\.json\.gz cannot be read: / }); // prettier-ignore
    put('b.json', '{"id":1}\n');
    await expect(read({ path: 'b.json', compression: 'gzip' })).rejects.toMatchObject({ code: 'SOURCE' });
  });
});

describe('JSON arrays', () => {
  test('each element is a record, where it stands; those that are none are dead letters', async () => {
    const text = '\ufeff [\n  {"id": 1,\n   "name": "x"},\n  nope,{"id":2}  ,\n  3, {"id": "é"}, {"name":"a\nb"},\n  [{"id":4}]\n]\n';
    put('a.json', text);
    put('b.json.gz', gzipSync(text));
    const bad = ['nope', '3', '{"id": "é"}', '{"name":"a\nb"}', '[{"id":4}]'];
    for (const path of ['a.json', 'b.json.gz'])
      for (const maxRecords of [1, 3, 1000]) {
        const { rows, dead } = await read({ path }, maxRecords);
        expect(rows).toEqual([['1', 'x', 0, '0'], ['2', null, 0, '2']]);
        expect(dead.map(([, offset]) => offset)).toEqual(bad.map((element) => Buffer.from(text).indexOf(element)));
        expect(dead.map(([, , payload]) => payload)).toEqual(bad.map((element) => element.replace('\n', '\u0001')));
      }
  }); // prettier-ignore

  test('an array that is broken is an error that names the byte; what is before it has been read', async () => {
    const broken = async (text: string, format = 'json'): Promise<unknown> => {
      put('a.json', text);
      return read({ path: 'a.json', format }, 1).then(({ rows }) => rows.length, (error: unknown) => (error as Error).message); // prettier-ignore
    };
    const said = (at: number, what: string): string => `a.json is no JSON array: at byte ${at} ${what}`;
    const unended = 'the element that begins here, or the array, does not end';
    expect(await broken('[]')).toBe(0);
    expect(await broken('[{"id":1},{"id":2}')).toBe(said(10, unended));
    expect(await broken('[{"id":1},{"id":"2}]')).toBe(said(10, unended));
    expect(await broken('[')).toBe(said(0, unended));
    expect(await broken('[{"id":1},]')).toBe(said(10, 'an element is missing'));
    expect(await broken('[{"id":1},,{"id":2}]')).toBe(said(10, 'an element is missing'));
    expect(await broken('[{"id":1}] {"id":2}')).toBe(said(11, 'something follows the array'));
    expect(await broken('{"id":1}', 'json_array')).toBe(said(0, 'no array begins here'));
    expect(await broken('{"id":1}')).toBe(1);
    put('a.json', '[{"id":1},{"id":');
    const reader = await open({ path: 'a.json' });
    const [first] = await reader.poll({ partitions: 'all', maxRecords: 1, waitMs: 0 });
    expect(first).toMatchObject({ from: 0, to: 10, records: 1 });
    await reader.close();
  });
});

describe('several files', () => {
  test('each is a partition, by name; poll keeps to those that are allowed', async () => {
    put('b/2.json', '{"id":2}\n{"id":3}\n');
    put('a.json', '{"id":1}\n');
    put('b/c/d.json', '{"id":4}\n');
    put('b/.hidden.json', '{"id":9}\n');
    const reader = await open({ path: '**/*.json' });
    expect(reader.partitions.map(({ name }) => name)).toEqual(['a.json', 'b/2.json', 'b/c/d.json']);
    const chunks = await reader.poll({ partitions: new Set([1]), maxRecords: 10, waitMs: 0 });
    expect(chunks.map(({ partition, records }) => [partition, records])).toEqual([[1, 2]]);
    for (const chunk of chunks) chunk.release();
    expect(reader.partitions.map(({ done }) => done)).toEqual([false, true, false]);
    expect((await readAll(reader)).rows).toEqual([['1', null, 0, '0'], ['4', null, 2, '0']]); // prettier-ignore
  });

  test('peek gives the first record and takes nothing', async () => {
    put('a.json', '\n{"id":1}\n{"id":2}\n');
    put('b.csv', 'id,name\n7,x\n8,y\n');
    for (const [path, id] of [
      ['a.json', '1'],
      ['b.csv', '7'],
    ] as const) {
      // prettier-ignore
      const reader = await open({ path });
      const chunk = await reader.peek?.(0);
      if (chunk === undefined) throw new Error('nothing peeked');
      await decode(connection, plan(COLUMNS), ident('peeked'), [chunk], 0n);
      chunk.release();
      expect((await connection.table(raw('SELECT id FROM peeked'))).rows).toEqual([[id]]);
      expect(reader.partitions[0]?.position).toBe(0);
      expect((await readAll(reader)).rows).toHaveLength(2);
    }
  });

  test('lists, globs of ? and *, each file once', async () => {
    for (const name of ['d/x1.json', 'd/x2.json', 'd/y10.json', 'e.json']) put(name, '{"id":1}\n');
    const names = async (path: string): Promise<string[]> =>
      (await open({ path, format: 'json' })).partitions.map(({ name }) => name);
    expect(await names('d/x?.json, e.json, d/x1.json')).toEqual(['d/x1.json', 'd/x2.json', 'e.json']);
    expect(await names('*/?1*')).toEqual(['d/x1.json', 'd/y10.json']);
    expect(await names(join(folder, 'd/x*'))).toEqual([join(folder, 'd/x1.json'), join(folder, 'd/x2.json')]);
    expect(await names('**/e.json')).toEqual(['e.json']);
  });

  test.each([
    ['event.json', 'there is no file event.json', 'did you mean events.json?'],
    ['nowhere/x.json', 'there is no file nowhere/x.json', /^there is no folder .*nowhere$/],
    ['*.jsonl', 'no file matches *.jsonl', /^it was looked for in /],
    ['events.json,other.json', 'there is no file other.json', /^the folder .* has no such file$/],
    ['sub', 'sub is a folder, not a file', 'name its files, such as sub/*.json'],
  ])('%s is missing', async (path, message, hint) => {
    put('events.json', '');
    mkdirSync(join(folder, 'sub'));
    const error: unknown = await open({ path, format: 'json' }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'FILE_MISSING', message });
    expect((error as { hint: string }).hint).toMatch(hint);
  });
});

describe('CSV', () => {
  test('the header says which column is which; any cut keeps to records', async () => {
    put('a.csv', '\ufeffNAME,x,id\r\n"a, ""b""\r\nc",,1\r\n\r\n,,2\nd,,3');
    for (const maxRecords of [1, 2, 100]) {
      const { rows, dead } = await read({ path: 'a.csv' }, maxRecords);
      expect(dead).toEqual([]);
      expect(rows).toEqual([['1', 'a, "b"\r\nc', 0, '0'], ['2', null, 0, '1'], ['3', 'd', 0, '2']]); // prettier-ignore
    }
  });

  test('no header, tabs, NULL text, other quotes, gzip', async () => {
    put('a.tsv', "1\t'it\\'s\tx'\n2\t-\n3\t'-'\n");
    const options = { path: 'a.tsv', header: 'false', quote: "'", escape: '\\', null: '-' };
    expect((await read(options)).rows.map(([id, name]) => [id, name])).toEqual([['1', "it's\tx"], ['2', null], ['3', '-']]); // prettier-ignore
    put('b.csv.gz', gzipSync('id;name\n1;x\n'));
    expect((await read({ path: 'b.csv.gz', delimiter: ';' })).rows).toEqual([['1', 'x', 0, '0']]);
  });

  test('a bad record is a dead letter at its byte, whatever the batch', async () => {
    put('a.csv', 'id,name\n1,a\n2\nx,"b\nc"\n4,d\n');
    for (const maxRecords of [1, 100]) {
      const { rows, dead } = await read({ path: 'a.csv' }, maxRecords);
      expect(rows.map(([id, name]) => [id, name])).toEqual([['1', 'a'], ['4', 'd']]); // prettier-ignore
      expect(dead).toEqual([
        [0, 12, '2', '1 field where 2 are expected'],
        [0, 14, 'x,"b\nc"', "column id: 'x' is no BIGINT"],
      ]);
    }
  });

  test('a declared column that the file has not is a SOURCE error with the near miss', async () => {
    put('a.csv', 'id,nane\n1,x\n');
    await expect(read({ path: 'a.csv' })).rejects.toMatchObject({ code: 'SOURCE', message: 'a.csv has no column name', hint: 'did you mean nane?' }); // prettier-ignore
  });

  test('a file with its header alone, and an empty one', async () => {
    put('a.csv', 'id,name\n');
    put('b.csv', '');
    put('c.csv', 'id,name');
    expect((await read({ path: '*.csv' })).rows).toEqual([]);
  });
});

describe('Parquet', () => {
  const write = (name: string, select: string, rowGroup = 2048): Promise<number> =>
    connection.run(sql`COPY (${raw(select)}) TO ${join(folder, name)} (FORMAT parquet, ROW_GROUP_SIZE ${rowGroup})`);

  test('rows in order, by row groups where they fit, offsets are rows', async () => {
    await write('a.parquet', "SELECT i AS id, 'n' || i AS name, i AS other FROM range(10000) t(i)");
    const whole = await read({ path: 'a.parquet' }, 100_000);
    expect(whole.rows).toEqual(Array.from({ length: 10_000 }, (_, i) => [String(i), `n${i}`, 0, String(i)]));
    const some = await read({ path: 'a.parquet' }, 4000);
    expect(some.rows).toEqual(whole.rows);
    expect(some.chunks.map(({ to }) => to)).toEqual([4096, 8192, 10_000]);
    expect((await read({ path: 'a.parquet' }, 999)).rows).toEqual(whole.rows);
  });

  test('values are cast to the declared types; what does not cast is a dead letter', async () => {
    await write('a.parquet', "SELECT unnest(['1', 'x', NULL]) AS ID, unnest(['2024-01-01T00:00:00+05:00', '2024-01-02', NULL]) AS t, TIMESTAMPTZ '2024-01-01 00:00:00+01' AS z"); // prettier-ignore
    const columns = [{ name: 'id', type: 'BIGINT' }, { name: 't', type: 'TIMESTAMP' }, { name: 'z', type: 'TIMESTAMP' }]; // prettier-ignore
    const { rows, dead } = await read({ path: 'a.parquet' }, 10, columns);
    expect(rows).toEqual([
      ['1', '2023-12-31 19:00:00', '2023-12-31 23:00:00', 0, '0'],
      [null, null, '2023-12-31 23:00:00', 0, '2'],
    ]);
    expect(dead.map(([, offset, , reason]) => [offset, reason])).toEqual([[1, "column id: 'x' is no BIGINT"]]);
  });

  test('a missing column, a file that is no Parquet, a name with brackets', async () => {
    await write('a[1].parquet', 'SELECT 1 AS id, 2 AS nam');
    await expect(read({ path: 'a[1].parquet' })).rejects.toMatchObject({ code: 'SOURCE', hint: 'did you mean nam?' });
    expect((await read({ path: 'a[1].parquet' }, 5, [{ name: 'id', type: 'BIGINT' }])).rows).toEqual([['1', 0, '0']]);
    put('b.parquet', 'id,name\n');
    await expect(read({ path: 'b.parquet' })).rejects.toMatchObject({ code: 'SOURCE', message: /^b\.parquet cannot be read as Parquet: / }); // prettier-ignore
  });

  test('peek, and a file without rows', async () => {
    await write('a.parquet', 'SELECT 5 AS id, NULL::VARCHAR AS name');
    await write('b.parquet', 'SELECT 5 AS id, NULL::VARCHAR AS name LIMIT 0');
    const reader = await open({ path: '*.parquet' });
    expect((await reader.peek?.(0))?.records).toBe(1);
    expect(await reader.peek?.(1)).toBeUndefined();
    expect((await readAll(reader)).rows).toEqual([['5', null, 0, '0']]);
  });
});

describe('options', () => {
  test.each([
    [{ path: 'x.txt' }, "the format of 'x.txt' cannot be told from its extension"],
    [{ path: 'a.json,b.csv' }, "the format of 'a.json,b.csv' cannot be told from its extension"],
    [{ path: ' ' }, 'path is empty'],
    [{ path: 'x.json', header: 'true' }, 'the option header is for format = \'csv\' only, not json'],
    [{ path: 'x.parquet', compression: 'gzip' }, /^the option compression is for json and csv/],
    [{ path: 'x.csv', delimiter: '"' }, /^delimiter takes/],
    [{ path: 'x.csv', quote: 'ab' }, /^quote takes one ASCII character/],
    [{ path: 'x.csv', null: 'a,b' }, /^null must not contain/],
    [{ path: 'x.csv', delimeter: ';' }, 'the connector file has no option delimeter'],
    [{}, 'the connector file needs the option path'],
  ])('%o', async (options, message) => {
    await expect(open(options as Options)).rejects.toMatchObject({ code: 'OPTION', message });
  }); // prettier-ignore

  test('a source without columns', async () => {
    await expect(open({ path: 'x.json' }, [])).rejects.toMatchObject({ code: 'BIND' });
  });

  test('plan touches nothing', () => {
    const options = { path: 'not-there.json', strict: true };
    const planned = fileSource.plan({ name: 's', columns: COLUMNS, primaryKey: [], computed: [], options, span: SPAN, cwd: folder, stem: 's' }); // prettier-ignore
    expect([planned.bounded, planned.strict, planned.columns]).toEqual([true, true, COLUMNS]);
  });
});
