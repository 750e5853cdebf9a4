import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { SinkContext, SinkWriter } from '../src/base/connector.ts';
import type { Column } from '../src/base/schema.ts';
import { realDisk, type Disk } from '../src/connectors/sinks/file/disk.ts';
import { fileSinkIn } from '../src/connectors/sinks/file-sink.ts';
import { openSinkBench, planSink, visibleParts, visibleRows, type SinkBench } from './support/sink-bench.ts';

const COLUMNS: readonly Column[] = [
  { name: 'id', type: 'INTEGER' },
  { name: 'k', type: 'VARCHAR' },
];
const FOLDERS = { partition_by: 'k' };
const GATHERED = { roll_size: '1 GB' };

let bench: SinkBench;
let cwd: string;
beforeAll(async () => {
  bench = await openSinkBench();
});
afterAll(() => bench.close());
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'file-sink-'));
});
afterEach(() => rmSync(cwd, { recursive: true }));

type Options = Readonly<Record<string, string>>;

const opened = async (options: Options, parts: Partial<SinkContext> = {}, disk: Partial<Disk> = {}): Promise<SinkWriter> => {
  const sink = fileSinkIn({ disk: { ...realDisk, ...disk }, pauses: [0, 0], now: Date.now });
  const writer = planSink(sink, { path: 'out', ...options }, { columns: COLUMNS, cwd }).open(bench.context(parts));
  await writer.open();
  return writer;
}; // prettier-ignore

const stage = async (writer: SinkWriter, epoch: number, values: string): Promise<void> =>
  writer.stage(epoch, await bench.delta(COLUMNS, values), values === '' ? 0 : 1);

const write = async (writer: SinkWriter, epoch: number, values: string): Promise<void> => {
  await stage(writer, epoch, values);
  await writer.publish(epoch);
};

const out = (...names: readonly string[]): string => join(cwd, 'out', ...names);
const parts = (): readonly string[] => visibleParts(out());
const ids = (): readonly number[] =>
  visibleRows(out())
    .map((row) => Number(row['id']))
    .toSorted((a, b) => a - b);
const hidden = (): readonly string[] => readdirSync(out()).filter((name) => name.startsWith('.'));
const after = (epoch: number): Partial<SinkContext> => ({ resume: { epoch } });

/** Lets so many calls pass, and fails from then on. */
const failing = (error: Error, passes = 0): (() => Promise<void>) => {
  let left = passes;
  return () => (left-- > 0 ? Promise.resolve() : Promise.reject(error));
};
const withCode = (code: string): Error => Object.assign(new Error(`${code}: it says so`), { code });

describe.each<[string, Options]>([
  ['a part an epoch', {}],
  ['folders', FOLDERS],
  ['epochs gathered', GATHERED],
])('%s: a run that goes on', (_, options) => {
  test('keeps what is published, and removes what is half written', async () => {
    const first = await opened(options);
    await write(first, 1, `(1, 'a')`);
    await stage(first, 2, `(2, 'a')`);
    writeFileSync(out('.part-00000002.csv.tmp'), 'half');
    mkdirSync(out('.part-00000003.set.tmp', 'k=a'), { recursive: true });
    const second = await opened(options, after(1));
    expect(await second.isPublished(1)).toBe(true);
    await write(second, 2, `(3, 'a'), (4, 'b')`);
    await second.finish?.();
    expect(ids()).toEqual([1, 3, 4]);
    expect(hidden().filter((name) => name !== '.pending')).toEqual(['.streamsql-sink']);
  });

  test('does not know of an epoch that is committed and was not published, and takes it again', async () => {
    const first = await opened(options);
    await write(first, 1, `(1, 'a')`);
    const second = await opened(options, after(2));
    expect(await second.isPublished(2)).toBe(false);
    await write(second, 2, `(2, 'a')`);
    await second.finish?.();
    expect(ids()).toEqual([1, 2]);
  });

  test('an epoch that was staged and is now empty leaves nothing', async () => {
    const first = await opened(options);
    await stage(first, 1, `(1, 'a')`);
    await write(first, 1, '');
    await first.finish?.();
    expect(parts()).toEqual([]);
  });

  test('is refused where the folder has later epochs', async () => {
    const first = await opened(options);
    await write(first, 1, `(1, 'a')`);
    await write(first, 7, `(2, 'a')`);
    const refused = expect.objectContaining({
      code: 'STATE',
      message: expect.stringContaining('holds rows of epoch 7, and the run goes on after epoch 6') as string,
      hint: 'put the newer results database and state back, or run with --fresh to begin again',
    }) as Error;
    await expect(opened(options, after(6))).rejects.toEqual(refused);
    await first.finish?.();
    await expect(opened(options, after(6))).rejects.toEqual(refused);
    expect(ids()).toEqual([1, 2]);
  });

  test('is refused in the folder of another job, or of another sink', async () => {
    const first = await opened(options, { job: 'mine' });
    await write(first, 1, `(1, 'a')`);
    await expect(opened(options, { ...after(1), job: 'other' })).rejects.toMatchObject({
      code: 'SINK',
      message: expect.stringContaining('belongs to the sink out of another run') as string,
    });
    await opened(options, { ...after(1), job: 'mine' });
    writeFileSync(out('.streamsql-sink'), 'else\nrunning\nmine\n');
    await expect(opened(options, after(1))).rejects.toMatchObject({
      message: expect.stringContaining('belongs to the sink else') as string,
    });
  });

  test('a new run is refused, and takes the folder for a fresh start', async () => {
    const first = await opened(options);
    await write(first, 1, `(1, 'a')`);
    await expect(opened(options)).rejects.toMatchObject({
      code: 'SINK',
      message: expect.stringContaining('a run that did not come to its end') as string,
    });
    await opened(options, { fresh: true });
    expect(parts()).toEqual([]);
  });
});

test('a folder of an earlier version, whose marker names no job, is taken over', async () => {
  await write(await opened({}), 1, `(1, 'a')`);
  writeFileSync(out('.streamsql-sink'), 'out\nrunning\n');
  await opened({}, { ...after(1), job: 'mine' });
  expect(readFileSync(out('.streamsql-sink'), 'utf8')).toBe('out\nrunning\nmine\n');
});

test('an epoch whose parts are half in their folders is brought to its end', async () => {
  let moved = 0;
  const rename: Disk['rename'] = (from, to) => {
    if (to.includes('k=') && !to.includes('.set') && ++moved > 1) throw new Error('the process ends here');
    return realDisk.rename(from, to);
  };
  const first = await opened(FOLDERS, {}, { rename });
  await expect(write(first, 1, `(1, 'a'), (2, 'b'), (3, 'c')`)).rejects.toMatchObject({ code: 'SINK' });
  expect(ids()).toEqual([1]);
  const second = await opened(FOLDERS, after(1));
  expect(await second.isPublished(1)).toBe(true);
  expect(ids()).toEqual([1, 2, 3]);
  expect(hidden()).toEqual(['.streamsql-sink']);
});

test('an epoch that was staged and not committed leaves no folder', async () => {
  const first = await opened(FOLDERS);
  await write(first, 1, `(1, 'a')`);
  await stage(first, 2, `(2, 'b')`);
  expect(hidden()).toContain('.part-00000002.set');
  await opened(FOLDERS, after(1));
  expect(hidden()).toEqual(['.streamsql-sink']);
  expect(ids()).toEqual([1]);
});

test('a part that is there and whose rows still wait is not made again', async () => {
  const first = await opened({ ...GATHERED, ...FOLDERS }, {}, {
    remove: (path) => (path.includes('.pending/') ? Promise.reject(new Error('it ends here')) : realDisk.remove(path)),
  }); // prettier-ignore
  await write(first, 1, `(1, 'a')`);
  await write(first, 2, `(2, 'b')`);
  await expect(first.finish?.()).rejects.toMatchObject({ code: 'SINK' });
  expect(ids()).toEqual([1, 2]);
  expect(readdirSync(out('.pending'))).toEqual(['00000001.tmp', '00000002.tmp']);
  const second = await opened({ ...GATHERED, ...FOLDERS }, after(2));
  expect(await second.isPublished(2)).toBe(true);
  await write(second, 3, `(3, 'a')`);
  await second.finish?.();
  expect(ids()).toEqual([1, 2, 3]);
});

describe('a disk that refuses', () => {
  test('what may pass is tried again, and told', async () => {
    const notices: (string | undefined)[] = [];
    let full = 2;
    const run: SinkContext['run'] = async (statement) => {
      if (full-- > 0) throw new Error('IO Error: Could not write file: No space left on device');
      await bench.connection.run(statement);
    };
    const writer = await opened({}, { run, notice: (message) => notices.push(message) });
    await write(writer, 1, `(1, 'a')`);
    expect(ids()).toEqual([1]);
    const waiting = `waiting for the folder ${out()}: IO Error: Could not write file: No space left on device`;
    expect(notices).toEqual([waiting, waiting, undefined]);
  });

  test('a disk that stays full stops the run, which goes on when there is room', async () => {
    const writer = await opened({}, {}, { sync: failing(withCode('ENOSPC'), 1) });
    await expect(write(writer, 1, `(1, 'a')`)).rejects.toMatchObject({
      code: 'SINK',
      message: `sink out cannot write epoch 1 in the folder ${out()}: ENOSPC: it says so`,
      hint: 'make room there; the same command then goes on where it stopped',
    });
    const second = await opened({}, after(0));
    await write(second, 1, `(1, 'a')`);
    expect(ids()).toEqual([1]);
  });

  test.each(['EACCES', 'EPERM', 'EROFS'])('%s stops at once, and says who can help', async (code) => {
    const calls: string[] = [];
    const rename: Disk['rename'] = (from, to) => {
      if (!to.includes('part-')) return realDisk.rename(from, to);
      calls.push(to);
      throw withCode(code);
    };
    await expect(write(await opened({}, {}, { rename }), 1, `(1, 'a')`)).rejects.toMatchObject({
      code: 'SINK',
      message: `sink out cannot publish epoch 1 in the folder ${out()}: ${code}: it says so`,
      hint: 'let the user who runs streamsql write there, or give another path',
    });
    expect(calls.length).toBe(1);
  });

  test.each(['rename', 'syncFolder', 'remove', 'sync', 'makeFolder'] as const)(
    'a step of %s that fails once is made good in the same run',
    async (step) => {
      for (const options of [{}, FOLDERS, { roll_size: '1 B', ...FOLDERS }, { roll_size: '1 B' }]) {
        for (let passes = 0; passes < 8; passes++) {
          rmSync(out(), { recursive: true, force: true });
          let [left, failed] = [passes, false];
          const disk: Partial<Disk> = {
            [step]: async (from: string, to: string) => {
              if (left-- === 0) throw withCode('EBUSY');
              failed ||= left < 0;
              await realDisk[step](from, to);
            },
          };
          const writer = await opened(options, {}, disk);
          await write(writer, 1, `(1, 'a'), (2, 'b')`);
          await write(writer, 2, `(3, 'a')`);
          await writer.finish?.();
          expect(ids()).toEqual([1, 2, 3]);
          if (!failed) break;
        }
      }
    },
  );
});
