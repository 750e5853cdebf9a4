import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { SourceContext, SourceReader } from '../src/base/connector.ts';
import { StreamsqlError } from '../src/base/errors.ts';
import { checkOptions } from '../src/base/options.ts';
import { raw } from '../src/base/sql.ts';
import { fileSource } from '../src/connectors/file/file.ts';
import { open, type RunEvent } from '../src/engine.ts';
import { contextOf, resumeAt, Tape } from './support/resume-suite.ts'; // prettier-ignore
import { connection, folder, scratch, useReaderBench } from './support/reader-bench.ts';

const SPAN = { start: 0, end: 0 };

useReaderBench('file-follow', async () => {
  for (const following of Following.all.splice(0)) await following.close();
});

const at = (name: string): string => join(folder, name);
const put = (name: string, content: string | Buffer): void => writeFileSync(at(name), content);
const add = (name: string, content: string): void => appendFileSync(at(name), content);
const row = (id: number, more = ''): string => `{"id":${id}${more}}\n`;

/** A reader that is open, and what it has read by partition. */
class Following {
  readonly tapes: Tape[] = [];
  readonly notices: string[] = [];
  private readonly path: string;
  private readonly more: Readonly<Record<string, string>>;
  private reader: SourceReader | undefined;
  static readonly all: Following[] = [];

  constructor(path: string, more: Readonly<Record<string, string>> = {}) {
    this.path = path;
    this.more = more;
    Following.all.push(this);
  }

  async open(context: Partial<SourceContext> = {}): Promise<this> {
    const options = { path: this.path, follow: 'true', follow_interval: '10', ...this.more };
    const given = Object.entries(options).map(([name, value]) => ({ name, value, nameSpan: SPAN, valueSpan: SPAN }));
    const checked = checkOptions(given, fileSource.options, 'the connector file', SPAN);
    const columns = [{ name: 'id', type: 'BIGINT' }];
    const declared = { name: 's', columns, primaryKey: [], computed: [], span: SPAN, cwd: folder, stem: 's' };
    const notice = (text: string | undefined): void => void (text !== undefined && this.notices.push(text));
    const plan = fileSource.plan({ ...declared, options: checked });
    expect(plan.bounded).toBe(false);
    this.reader = plan.open({ ...contextOf(scratch, connection), notice, ...context });
    await this.reader.open();
    return this;
  }

  /** Reads until so many records in all have come, a few at a time. */
  async until(records: number): Promise<readonly string[]> {
    for (let polls = 0; this.count() < records; polls++) {
      expect(polls).toBeLessThan(500);
      await this.poll();
    }
    return this.records();
  }

  /** Reads what there is. */
  async settle(): Promise<readonly string[]> {
    for (let quiet = 0; quiet < 6;) quiet = (await this.poll()) ? 0 : quiet + 1;
    return this.records();
  }

  private async poll(): Promise<boolean> {
    const { reader } = this;
    if (reader === undefined) throw new Error('not open');
    const chunks = await reader.poll({ partitions: 'all', maxRecords: 3, waitMs: 20 });
    this.begin();
    for (const chunk of chunks) {
      await this.tapes[chunk.partition]?.add(chunk, reader.partitions[chunk.partition]?.end, connection);
      chunk.release();
    }
    return chunks.length > 0;
  }

  private begin(): void {
    for (const { name, end } of this.partitions.slice(this.tapes.length))
      this.tapes.push(new Tape(name, { position: 0, ordinal: undefined, end }));
  }

  get partitions(): SourceReader['partitions'] {
    return this.reader?.partitions ?? [];
  }

  private count(): number {
    return this.tapes.reduce((sum, { records }) => sum + records.length, 0);
  }

  /** As `name offset: record`. */
  records(): readonly string[] {
    return this.tapes.flatMap(({ name, records }) => records.map((record) => `${name.replace(/#.*/, '')} ${record}`));
  }

  async close(): Promise<this> {
    await this.reader?.close();
    return this;
  }

  /** Another one, that goes on where this one stood. */
  async again(context: Partial<SourceContext> = {}): Promise<Following> {
    await this.close();
    const next = new Following(this.path, this.more);
    const resume = resumeAt(this.tapes, this.tapes.map(({ last }) => last)); // prettier-ignore
    await next.open({ resume, ...context });
    for (const [i, { position, end }] of next.partitions.entries())
      next.tapes.push(new Tape(next.partitions[i]!.name, { position, ordinal: undefined, end }));
    return next;
  }
}

const failure = async (work: Promise<unknown>): Promise<unknown> =>
  work.then(() => 'none', (error: unknown) => (error instanceof StreamsqlError ? [error.code, error.message] : error)); // prettier-ignore

test('where a file ends is told by looking, which is done when it may be read', async () => {
  put('a.json', row(1));
  const following = await new Following('*.json').open();
  await following.settle();
  const [file] = following.partitions;
  const before = file?.answers ?? 0;
  add('a.json', row(2));
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect([file?.answers, file?.end === file?.position]).toEqual([before, true]);
  await following.until(2);
  expect(file?.answers).toBeGreaterThan(before);
});

describe('what is added', () => {
  test('lines as soon as they are whole, and files that turn up, in the order in which they were written', async () => {
    put('b.json', row(1));
    const following = await new Following('*.json').open();
    await following.until(1);
    add('b.json', row(2) + '{"id"');
    expect(await following.settle()).toEqual(['b.json 0: {"id":1}', 'b.json 1: {"id":2}']);
    expect(following.partitions[0]).toMatchObject({ position: 18, end: 18, done: false });
    add('b.json', ':3}\n');
    put('a.json', '{"id":');
    await following.until(3);
    add('a.json', '4}\n');
    await following.until(4);
    put('c.json.part', row(5));
    renameSync(at('c.json.part'), at('c.json'));
    expect((await following.until(5)).slice(2)).toEqual(['b.json 2: {"id":3}', 'a.json 0: {"id":4}', 'c.json 0: {"id":5}']); // prettier-ignore
  });

  test('a folder below, and files that are there before there are any', async () => {
    const following = await new Following('**/x*.json').open();
    expect(following.notices).toEqual(['waiting for **/x*.json: there is none yet']);
    mkdirSync(at('d'));
    put('d/x1.json', row(1));
    expect(await following.until(1)).toEqual(['d/x1.json 0: {"id":1}']);
    await following.close();
    expect(await failure(new Following('nowhere/x.json').open())).toEqual(['FILE_MISSING', 'there is no file nowhere/x.json']); // prettier-ignore
  });

  test('CSV with its header, gzip and Parquet, which are whole', async () => {
    put('a.csv', 'id\n1');
    const csv = await new Following('*.csv*', { format: 'csv' }).open();
    add('a.csv', '\n2\n');
    put('b.csv.gz', gzipSync('id\n3\n4'));
    expect(await csv.until(4)).toEqual([
      'a.csv 0: id 1\n',
      'a.csv 1: id 2\n',
      'b.csv.gz 0: id 3\n',
      'b.csv.gz 1: id 4',
    ]);
    const json = await new Following('*.json').open();
    put('array.aside', '[{"id":1},\n{"id":2}]');
    renameSync(at('array.aside'), at('array.json'));
    expect(await json.until(2)).toEqual(['array.json 0: {"id":1}', 'array.json 1: {"id":2}']);
    expect(await (await json.again()).settle()).toEqual([]);
    const parquet = await new Following('*.parquet').open();
    for (const [i, name] of ['y', 'x'].entries()) {
      await connection.run(
        raw(`COPY (SELECT range AS id FROM range(${i + 2})) TO '${at(name)}.aside' (FORMAT parquet)`),
      );
      renameSync(at(`${name}.aside`), at(`${name}.parquet`));
      await parquet.until([2, 5][i]!);
    }
    const again = await parquet.again();
    expect(again.partitions.map(({ name, done }) => [name.replace(/#.*/, ''), done])).toEqual([['y.parquet', true], ['x.parquet', false]]); // prettier-ignore
    expect(await again.settle()).toEqual([]);
    await again.close();
  });
});

describe('a file that is rotated', () => {
  test('is read to its end, and done, and the new one from its start', async () => {
    put('log', row(1));
    const following = await new Following('log', { format: 'json' }).open();
    await following.until(1);
    add('log', row(2));
    renameSync(at('log'), at('log.1'));
    add('log.1', row(3));
    put('log', row(4));
    await following.until(4);
    add('log.1', row(5));
    expect(await following.until(5)).toEqual([...[1, 2, 3].map((id) => `log ${id - 1}: {"id":${id}}`), 'log 3: {"id":5}', 'log 0: {"id":4}']); // prettier-ignore
    add('log', row(6));
    await following.until(6);
    while (following.partitions[0]?.done !== true) await following.settle();
    // Its writer is slow to go on in the new one.
    add('log.1', row(7));
    expect((await following.until(7))[4]).toBe('log 4: {"id":7}');
    unlinkSync(at('log.1'));
    await following.settle();
    expect(following.partitions.map(({ done }) => done)).toEqual([false, false]);
    add('log', row(8));
    await following.until(8);
    expect(following.partitions.map(({ done }) => done)).toEqual([true, false]);
  });

  test('while nobody reads, more than once', async () => {
    for (const path of ['log', 'log*']) {
      put('log', row(1) + row(2));
      const before = await new Following(path, { format: 'json' }).open();
      await before.until(2);
      await before.close();
      add('log', row(3));
      renameSync(at('log'), at('log.1'));
      put('log', row(4));
      const between = await before.again();
      expect(await between.until(2)).toEqual(['log 2: {"id":3}', 'log 0: {"id":4}']);
      add('log.1', row(5));
      renameSync(at('log.1'), at('log.2'));
      renameSync(at('log'), at('log.1'));
      add('log.1', row(6));
      put('log', row(7));
      const after = await between.again();
      expect(await after.until(3)).toEqual(['log 3: {"id":5}', 'log 1: {"id":6}', 'log 0: {"id":7}']);
      await after.close();
      for (const name of ['log', 'log.1', 'log.2']) unlinkSync(at(name));
    }
  });

  test('more than once while nobody looks: what was rotated in between is found beside it', async () => {
    put('log.2', row(0));
    utimesSync(at('log.2'), 1e9, 1e9);
    put('log', row(1));
    const before = await new Following('log', { format: 'json' }).open();
    await before.until(1);
    const turn = (): void => {
      for (let i = 9; i > 0; i--) if (existsSync(at(`log.${i}`))) renameSync(at(`log.${i}`), at(`log.${i + 1}`));
      renameSync(at('log'), at('log.1'));
    };
    for (const id of [2, 3]) {
      turn();
      put('log', row(id));
    }
    await before.until(3);
    await before.close();
    for (const id of [4, 5, 6]) {
      turn();
      put('log', row(id));
    }
    put('log.bak', row(7));
    const after = await before.again();
    expect((await after.until(3)).toSorted()).toEqual([4, 5, 6].map((id) => `log 0: {"id":${id}}`));
    expect(await after.settle()).toHaveLength(3);
  });

  test('of which a part was not read, and that is gone: refused, or skipped', async () => {
    put('log', row(1) + row(2));
    const following = await new Following('log', { format: 'json' }).open();
    await following.until(2);
    await following.close();
    renameSync(at('log'), at('log.1'));
    put('log', row(3));
    unlinkSync(at('log.1'));
    // Nothing is known to be lost.
    expect(await (await following.again()).until(1)).toEqual(['log 0: {"id":3}']);
    const [tape] = following.tapes;
    const resume = resumeAt([tape!], [{ ...tape!.last, position: 9, ordinal: 1 }]);
    expect(await failure(following.again({ resume }))).toEqual(['GAP', 'log is gone: bytes 9 to 17 cannot be read']);
    const skipped: unknown[] = [];
    const without = await following.again({ resume, skipped: (...gap) => skipped.push(gap) });
    expect(await without.until(1)).toEqual(['log 0: {"id":3}']);
    expect(skipped).toEqual([['log', 9, 18]]);
  });
});

describe('a file that is cut short and written anew', () => {
  test('while it is read', async () => {
    put('log', row(1) + row(2));
    const following = await new Following('log', { format: 'json' }).open();
    await following.until(2);
    copyFileSync(at('log'), at('log.1'));
    truncateSync(at('log'), 0);
    add('log', row(3));
    expect(await following.until(3)).toEqual(['log 0: {"id":1}', 'log 1: {"id":2}', 'log 0: {"id":3}']);
    expect(following.notices).toEqual(['log was cut short after its first 18 bytes were read: it is read anew from its start']); // prettier-ignore
    // As long as before at once, and once more beginning as before: told by the first line, and by the length.
    writeFileSync(at('log'), row(4) + row(5));
    await following.until(5);
    writeFileSync(at('log'), row(4));
    expect((await following.until(6)).at(-1)).toBe('log 0: {"id":4}');
    expect(new Set(following.partitions.map(({ name }) => name)).size).toBe(4);
    const again = await following.again();
    expect(await again.settle()).toEqual([]);
    expect(again.partitions.map(({ position }) => position)).toEqual([18, 9, 18, 9]);
  });

  test('while nobody reads: its epochs cannot be done again', async () => {
    put('log', row(1) + row(2));
    const following = await new Following('log', { format: 'json' }).open();
    await following.until(2);
    await following.close();
    writeFileSync(at('log'), row(3));
    expect(await (await following.again()).until(1)).toEqual(['log 0: {"id":3}']);
    const [tape] = following.tapes;
    const resume = resumeAt([tape!], [{ ...tape!.last, position: 9, ordinal: 1 }]);
    expect(await failure(following.again({ resume }))).toEqual(['GAP', expect.stringMatching(/^log is gone: bytes 9 to 17/)]); // prettier-ignore
  });
});

test('files that turned up are found again by what the log of the epochs calls them, in its order', async () => {
  put('a.json', row(1));
  const following = await new Following('*.json').open();
  await following.until(1);
  const { last, name } = following.tapes[0]!;
  put('c.json', row(2));
  await following.until(2);
  put('b.json', row(3));
  await following.until(3);
  renameSync(at('c.json'), at('0'));
  const turnedUp = following.tapes.slice(1).map((tape) => tape.name);
  const resume = { partitions: [{ name, position: last.position, ordinal: last.ordinal, end: last.end }], turnedUp };
  const again = await following.again({ resume });
  expect(again.partitions.map((partition) => partition.name)).toEqual([name, ...turnedUp]);
  expect(await again.until(2)).toEqual(['c.json 0: {"id":2}', 'b.json 0: {"id":3}']);
  await again.close();
  expect(readFileSync(at('0'), 'utf8')).toBe(row(2));
});

describe('a run over files that are followed', () => {
  const SQL = `CREATE SOURCE s (id BIGINT, k VARCHAR) WITH (connector = 'file', path = '*.json', follow = true, follow_interval = '10 ms');
    CREATE MATERIALIZED VIEW v AS SELECT k, list(id) AS ids FROM s GROUP BY k`;

  /** Goes on until so many rows have been read in all; `then` is called after each epoch. Fails at a step where it says so. */
  async function run(rows: number, then: (rows: number) => string | undefined = () => undefined): Promise<unknown> {
    let failing: string | undefined;
    const fault = (step: string): void => {
      if (step === failing) throw new Error('killed');
    };
    const paths = { db: at('r.duckdb'), state: at('state'), cwd: folder };
    const engine = await open({ ...paths, threads: 2, batchIntervalMs: 0, checkpointIntervalMs: 1e9 }, { fault });
    const stop = new AbortController();
    const onEvent = (event: RunEvent): void => {
      if (event.event !== 'epoch' && event.event !== 'resumed') return;
      const read = event.event === 'epoch' ? (event.sources[0]?.rows ?? 0) : 0;
      failing ??= then(read);
      if (read >= rows) stop.abort();
    };
    try {
      await engine.sql(SQL);
      await engine.run({ signal: stop.signal, onEvent });
      return (await engine.query('SELECT ids FROM v')).rows[0]?.[0];
    } finally {
      await engine.close();
    }
  }

  test('is resumed after a crash with each file in its place, whatever it is called by then', async () => {
    const more = (...ids: number[]): string => ids.map((id) => row(id, ',"k":"x"')).join('');
    put('m.json', more(1, 2));
    expect(await run(2)).toEqual(['1', '2']);
    put('z.json', more(3));
    const killed = run(9, (rows) => {
      if (rows === 3) put('y.json', more(4, 5));
      if (rows === 5) put('c.json', more(6));
      return rows === 6 ? (add('y.json', more(7)), 'committed') : undefined;
    });
    await expect(killed).rejects.toThrow('killed');
    renameSync(at('y.json'), at('y.json.1'));
    put('y.json', more(8));
    put('a.json', more(9));
    expect(await run(9)).toEqual(['1', '2', '3', '4', '5', '7', '6', '9', '8']);
    add('y.json.1', more(10));
    truncateSync(at('c.json'), 0);
    add('c.json', more(11));
    expect(await run(11)).toEqual(['1', '2', '3', '4', '5', '7', '10', '6', '9', '8', '11']);
  });
});
