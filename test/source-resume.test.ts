import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { SourceContext, SourceReader } from '../src/base/connector.ts';
import { StreamsqlError } from '../src/base/errors.ts';
import { checkOptions } from '../src/base/options.ts';
import type { Column } from '../src/base/schema.ts';
import { raw } from '../src/base/sql.ts';
import { checkOf } from '../src/connectors/check.ts';
import { fileSource, planFile } from '../src/connectors/file/file.ts';
import { generatorSource } from '../src/connectors/generator/generator-source.ts';
import { contextOf, opened, readAll, readOn, resumeAt, type Subject, type Tape } from './support/resume-suite.ts';
import { planSource } from './support/sequence-bench.ts';
import { connection, folder, scratch, useReaderBench } from './support/reader-bench.ts';

const SPAN = { start: 0, end: 0 };
const COLUMNS: readonly Column[] = [
  { name: 'id', type: 'BIGINT' },
  { name: 'name', type: 'VARCHAR' },
];
const LONGEST = 3000;

useReaderBench('source-resume');

const put = (name: string, content: string | Buffer): void => writeFileSync(join(folder, name), content);

function openFiles(path: string, context: Partial<SourceContext>): SourceReader {
  const given = [{ name: 'path', value: path, nameSpan: SPAN, valueSpan: SPAN }];
  const options = checkOptions(given, fileSource.options, 'the connector file', SPAN);
  const declared = { name: 's', columns: COLUMNS, primaryKey: [], computed: [], span: SPAN, cwd: folder, stem: 's' };
  return planFile({ ...declared, options }, LONGEST).open({ ...contextOf(scratch, connection), ...context });
}

const files = (path: string): Subject => ({ connection, open: (context) => openFiles(path, context) });

/** Lines of JSON with all that may stand between and in them. */
function lines(seed: number, count: number): string {
  const odd = ['', '   \r', 'nope', `{"id":1,"name":"${'x'.repeat(LONGEST)}"}`, '{"id":"é"}\r'];
  const all = Array.from({ length: count }, (_, i) => `{"id":${i + seed},"name":"${'n'.repeat((i * seed) % 90)}"}`);
  for (let i = 0; i < count / 9; i++) all.splice((i * 7919 * seed) % all.length, 0, odd[i % odd.length] ?? '');
  return all.join('\n');
}

function csv(seed: number, count: number): string {
  const name = ['plain', '"quo""ted"', '"two\nlines"', '', ' " spaced, "'];
  const all = Array.from({ length: count }, (_, i) => `x,${name[(i * seed) % 5]},${i}${i % 17 === 0 ? '\n' : ''}`);
  return `z,name,id\n${all.join('\n')}`;
}

describe('the list of files', () => {
  test('those that are new follow those that were known, whatever they are called', async () => {
    put('m.json', lines(3, 50));
    put('k.json', lines(5, 50));
    const before = await readAll(files('*.json'), [7]);
    const resume = resumeAt(before, [before[0]!.stops[2]!, before[1]!.stops[3]!]);
    put('a.json', lines(7, 20));
    put('l.json', lines(2, 20));
    const after = await readAll(files('*.json'), [9], resume);
    expect(after.map(({ name }) => name)).toEqual(['k.json', 'm.json', 'a.json', 'l.json']);
    expect(after[1]!.records).toEqual(before[1]!.records.slice(before[1]!.stops[3]!.count));
    expect(after[2]!.records[0]).toMatch(/^0: /);
  });

  test('what was appended to a file is read on', async () => {
    for (const end of ['\n', '']) {
      put('a.json', `{"id":1}\n{"id":2}${end}`);
      const [tape] = await readAll(files('a.json'), [10]);
      put('a.json', '{"id":1}\n{"id":2}\n{"id":3}\n');
      const [rest] = await readAll(files('a.json'), [10], resumeAt([tape!], [tape!.last]));
      expect(rest!.records).toEqual(['2: {"id":3}']);
    }
  });
});

describe('what is not there any more', () => {
  const REST = 'put the file back as it was, go on without it with --on-gap skip, or run from the start with --fresh';
  /** What opening and reading on says; with `skip` what was skipped. */
  async function goOn(tapes: readonly Tape[], at: readonly number[], skip = false): Promise<unknown> {
    const stops = tapes.map((tape, i) => tape.stops.at(at[i]!)!);
    const gaps: unknown[] = [];
    const skipped = (...gap: readonly [string, number, number]): void => void gaps.push(gap);
    const context = { resume: resumeAt(tapes, stops), ...(skip && { skipped }) };
    const path = tapes[0]!.name.replace(/^.*\./, '*.');
    try {
      await opened(files(path), context, (reader, read) => readOn(files(path), reader, read, [10]));
      return gaps;
    } catch (error) {
      if (!(error instanceof StreamsqlError)) throw error;
      return [error.code, error.message, error.hint];
    }
  }

  test('a file that was read to its end may be gone', async () => {
    for (const [name, content] of [['a.json', lines(3, 30)], ['a.json', gzipSync(lines(3, 30))], ['a.csv', csv(1, 9)]] as const) {
      put(name, content);
      const tapes = await readAll(files(name), [4]);
      rmSync(join(folder, name));
      expect(await goOn(tapes, [-1])).toEqual([]);
      expect(await goOn(tapes, [1])).toEqual(['GAP', expect.stringMatching(/^a\.\w+ is gone: /), REST]);
    }
  }); // prettier-ignore

  test('a file that was not', async () => {
    put('a.json', '{"id":1}\n{"id":2}\n{"id":3}\n');
    put('b.json', '{"id":1}\n');
    const tapes = await readAll(files('*.json'), [1]);
    rmSync(join(folder, 'a.json'));
    expect(await goOn(tapes, [2, -1])).toEqual(['GAP', 'a.json is gone: bytes 18 to 26 cannot be read', REST]);
    expect(await goOn(tapes, [2, -1], true)).toEqual([['a.json', 18, 27]]);
    expect(await goOn(tapes, [0, 0], true)).toEqual([['a.json', 0, 0]]);
    expect(await goOn(tapes, [0, 0])).toEqual(['GAP', 'a.json is gone: what follows byte 0 cannot be read', REST]);
  });

  test('a file that is shorter, or of which nothing ends where it was read up to', async () => {
    const changed = (text: string): [string, Buffer][] => [['plain', Buffer.from(text)], ['gzip', gzipSync(text)]]; // prettier-ignore
    put('a.json', '{"id":1}\n{"id":2}\n{"id":3}\n');
    const tapes = await readAll(files('a.json'), [1]);
    for (const [, bytes] of changed('{"id":1}\n')) {
      put('a.json', bytes);
      const message = 'a.json ends at byte 9 now, though it was read up to byte 18';
      expect(await goOn(tapes, [2])).toEqual(['GAP', message, REST]);
      expect(await goOn(tapes, [2], true)).toEqual([['a.json', 9, 27]]);
    }
    for (const [, bytes] of changed('{"id":1, "name":"x"}\n{"id":2}\n{"id":3}\n')) {
      put('a.json', bytes);
      const message = 'a.json has changed: no record ends at byte 18, up to which it was read';
      const hint = 'put the file back as it was, or run from the start with --fresh';
      expect(await goOn(tapes, [2])).toEqual(['GAP', message, hint]);
    }
  });

  test('a Parquet file that has fewer rows', async () => {
    const copy = (rows: number): Promise<number> => connection.run(raw(`COPY (SELECT range AS id, 'n' AS name FROM range(${rows})) TO '${join(folder, 'a.parquet')}'`)); // prettier-ignore
    await copy(30);
    const tapes = await readAll(files('a.parquet'), [10]);
    await copy(15);
    const message = 'a.parquet ends at row 15 now, though it was read up to row 20';
    expect(await goOn(tapes, [2])).toEqual(['GAP', message, REST]);
    expect(await goOn(tapes, [2], true)).toEqual([['a.parquet', 15, 30]]);
    rmSync(join(folder, 'a.parquet'));
    expect(await goOn(tapes, [3])).toEqual([]);
    expect(await goOn(tapes, [2])).toEqual(['GAP', 'a.parquet is gone: rows 20 to 29 cannot be read', REST]);
  });

  test('a range of an epoch', async () => {
    const stop = new Map([[0, 27]]);
    put('a.json', '{"id":1}\n{"id":2}\n{"id":3}\n');
    const tapes = await readAll(files('a.json'), [1]);
    put('a.json', '{"id":1}\n{"id":2}\n');
    const again = opened(files('a.json'), { resume: resumeAt(tapes, [tapes[0]!.stops[1]!]) }, (reader, read) =>
      readOn(files('a.json'), reader, read, [10], stop),
    );
    await expect(again).rejects.toMatchObject({ code: 'GAP', message: 'a.json ends at byte 18 now, though it was read up to byte 27' }); // prettier-ignore
    rmSync(join(folder, 'a.json'));
    const skipped = (): void => {};
    const gone = opened(files('a.json'), { resume: resumeAt(tapes, [tapes[0]!.stops[1]!]), skipped }, (reader, read) =>
      readOn(files('a.json'), reader, read, [10], stop),
    );
    await expect(gone).rejects.toMatchObject({ code: 'GAP' });
  });
});

test('the check is of every byte of a file', async () => {
  const wide = Array.from({ length: 40 }, (_, i) => `{"name":"${'x'.repeat(2900)}","id":${i}}\n`).join('');
  const many = Array.from({ length: 40_000 }, (_, i) => `{"id":${i}}\n`).join('');
  put('a.json', `\ufeff${many}`);
  put('b.json', `${wide}\n${wide.repeat(3)}`);
  put('c.csv', `\ufeffname,id\n${many.replaceAll('{"id":', '"a\n""b",').replaceAll('}', '')}`);
  for (const [path, names] of [['*.json', ['a.json', 'b.json']], ['c.csv', ['c.csv']]] as const)
    for (const most of [1_000_000, 30_000, 5000]) {
      const tapes = await readAll(files(path), [most]);
      expect(tapes.map(({ last }) => last.check)).toEqual(names.map((name) => checkOf(readFileSync(join(folder, name)))));
    }
}); // prettier-ignore

describe('the pace of a generator', () => {
  const plan = planSource(
    generatorSource,
    { rate: '1' },
    { name: 'g', computed: [{ name: 'i', expression: raw('n') }] },
  );

  test('goes on from the position, and does not hold up what is read again', async () => {
    const resume = { partitions: [{ name: 'g', position: 1000 }] };
    const reader = plan.open({ ...contextOf(scratch, connection), resume });
    await reader.open();
    const upTo = new Map([[0, 2000]]);
    const again = await reader.poll({ partitions: 'all', maxRecords: 5000, waitMs: 0, upTo });
    expect(again.map(({ from, to }) => [from, to])).toEqual([[1000, 2000]]);
    const live = await reader.poll({ partitions: 'all', maxRecords: 5000, waitMs: 0 });
    expect(live.map(({ from, to }) => [from, to])).toEqual([[2000, 2001]]);
    await reader.close();
  });
});
