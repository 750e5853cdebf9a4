import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { noFault } from '../src/base/fault.ts';
import { realDisk, type Disk } from '../src/exec/checkpoint/disk.ts';
import { Intake } from '../src/exec/intake/intake.ts';
import { PartitionLog } from '../src/exec/intake/partition-log.ts';
import { Random } from './fuzz/random.ts';
import { FakeDisk, filesIn, writeFiles } from './simulation/fake-disk.ts';

let root: string;
beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'streamsql-intake-'))));
afterEach(() => rmSync(root, { recursive: true, force: true }));

let warnings: string[] = [];
beforeEach(() => (warnings = []));

const openLog = (disk: Disk, segmentBytes = 300): Promise<PartitionLog> => {
  const warn = (message: string): void => void warnings.push(message);
  return PartitionLog.open({ disk, fault: noFault, segmentBytes, warn }, join(root, 'log'), 'a source');
};

/** The records that are in a log. */
async function recordsOf(log: PartitionLog): Promise<readonly string[]> {
  const bytes = Buffer.alloc(log.end - log.start.position);
  for (let at = 0; at < bytes.length;) at += await log.read(log.start.position + at, bytes.subarray(at));
  const lines = bytes.toString('latin1').split('\n').slice(0, -1);
  return lines.filter((line) => !line.startsWith('\0F'));
}

const append = (log: Pick<PartitionLog, 'append'>, records: readonly string[]): Promise<void> =>
  log.append(records.map((record) => Buffer.from(`${record}\n`)), records.length); // prettier-ignore

class Cut extends Error {}

test('whatever the disk loses with the power, what was acknowledged is there, in order, and each append as a whole', async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new Random(seed);
    rmSync(root, { recursive: true, force: true });
    const acknowledged: string[] = [];
    let next = 0;
    /** Of each record the last one of its append. */
    const lasts = new Map<string, string>();
    for (let life = 0; life < 4; life++) {
      let left = random.int(1, 60);
      const disk = new FakeDisk(root, () => {
        if (--left < 0) throw new Cut();
      });
      let log: PartitionLog | undefined;
      try {
        log = await openLog(disk);
        const before = await recordsOf(log);
        expect(before.slice(0, acknowledged.length), `seed ${seed}`).toEqual(acknowledged);
        for (const record of before) expect(before, `seed ${seed}`).toContain(lasts.get(record));
        acknowledged.splice(0, Infinity, ...before);
        for (;;) {
          const group = Array.from({ length: random.int(1, 3) }, () =>
            Array.from({ length: random.int(1, 4) }, () => `record ${next++} ${'x'.repeat(random.int(0, 40))}`),
          );
          for (const each of group) for (const record of each) lasts.set(record, each.at(-1) ?? '');
          const open = log;
          const outcomes = await Promise.allSettled(group.map((each) => append(open, each)));
          if (outcomes.some(({ status }) => status === 'rejected')) break;
          acknowledged.push(...group.flat());
        }
      } catch (error) {
        if (!(error instanceof Cut)) throw error;
      }
      await log?.close();
      const files = disk.image(random.pick(['killed', 'power cut'] as const), random);
      rmSync(root, { recursive: true, force: true });
      writeFiles(root, files);
    }
  }
});

test('goes on where it was after files of it are gone, and says where it begins', async () => {
  const log = await openLog(new FakeDisk(root, () => undefined));
  log.note('a,b');
  for (let i = 0; i < 30; i++) await append(log, [`record ${i}`, 'another']);
  const [middle, end] = [Math.floor(log.end / 2), log.end];
  await log.forget(middle);
  expect(log.start.position).toBeLessThanOrEqual(middle);
  expect(log.start.position).toBeGreaterThan(middle - 400);
  expect(log.start.ordinal).toBe(60 - (await recordsOf(log)).length);
  await log.close();
  const again = await openLog(new FakeDisk(root, () => undefined));
  expect(again).toMatchObject({ start: log.start, end, head: 'a,b' });
  await again.forget(end);
  expect(filesIn(root).size).toBe(1);
  await append(again, ['one more']);
  await again.close();
  const last = await openLog(new FakeDisk(root, () => undefined));
  expect((await recordsOf(last)).at(-1)).toBe('one more');
  await last.close();
});

test('appends that come together share a sync', async () => {
  let syncs = 0;
  const disk = new FakeDisk(root, () => undefined);
  const counting: Disk = Object.assign(Object.create(disk) as Disk, {
    openFile: async (path: string) => {
      const file = await disk.openFile(path);
      return Object.assign(Object.create(file) as typeof file, {
        append: (bytes: readonly Uint8Array[]) => file.append(bytes),
        sync: () => (syncs++, file.sync()),
        close: () => file.close(),
      });
    },
  });
  const log = await openLog(counting, 1 << 20);
  await Promise.all(Array.from({ length: 100 }, (_, i) => append(log, [`record ${i}`])));
  expect(syncs).toBeLessThanOrEqual(2);
  expect((await recordsOf(log)).length).toBe(100);
  await log.close();
});

/** A log of four appends in one file, or in as many, is closed; a byte of it is changed; then it is opened again. */
async function damagedAt(place: (bytes: Buffer) => number, segmentBytes = 1 << 20, file = 0): Promise<PartitionLog> {
  const log = await openLog(realDisk, segmentBytes);
  for (let i = 0; i < 4; i++) await append(log, [`record ${i}`]);
  await log.close();
  const path = join(root, [...filesIn(root).keys()].sort()[file] ?? '');
  const bytes = readFileSync(path);
  const at = place(bytes);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  return openLog(realDisk, segmentBytes);
}

test.each([
  ['in its header', (bytes: Buffer) => bytes.indexOf('format')],
  ['in a frame', (bytes: Buffer) => bytes.indexOf('\0F') + 3],
  ['in a record', (bytes: Buffer) => bytes.indexOf('record 2')],
])('what is damaged %s, with whole records after it, is refused and stays as it is', async (_, place) => {
  await expect(damagedAt(place)).rejects.toMatchObject({ code: 'STATE', message: expect.stringMatching(/\.log is damaged at byte \d+/) as string }); // prettier-ignore
  expect([...filesIn(root).values()].map((bytes) => bytes.includes('record 3'))).toEqual([true]);
});

test('of the last append nobody can tell whether it was acknowledged: it is kept aside, and said', async () => {
  const log = await damagedAt((bytes) => bytes.indexOf('record 3'));
  expect(await recordsOf(log)).toEqual(['record 0', 'record 1', 'record 2']);
  const [aside] = [...filesIn(root)].filter(([path]) => path.endsWith('.cut'));
  expect(warnings).toEqual([expect.stringContaining(`kept in ${join(root, aside?.[0] ?? '')}`)]);
  expect(aside?.[1].toString()).toContain('ecord 3');
  await append(log, ['another']);
  await log.close();
});

test('what a killed process left half written is cut off without a word', async () => {
  const log = await openLog(realDisk, 1 << 20);
  for (const record of ['one', 'two']) await append(log, [record]);
  await log.close();
  const path = join(root, [...filesIn(root).keys()][0] ?? '');
  const whole = readFileSync(path);
  for (const cut of [1, 4, 10, 30]) {
    writeFileSync(path, whole.subarray(0, whole.length - cut));
    const again = await openLog(realDisk, 1 << 20);
    expect(await recordsOf(again)).toEqual(['one']);
    await again.close();
  }
  expect(warnings).toEqual([]);
});

test('a file that others follow is looked through before anything of it is read, and one of another version is refused', async () => {
  const log = await damagedAt((bytes) => bytes.indexOf('record'), 1, 1);
  expect(log.start.position).toBe(0);
  await expect(log.check(log.start.position)).rejects.toMatchObject({ code: 'STATE' });
  await log.check(log.end - 10);
  await log.close();
  const newest = join(root, [...filesIn(root).keys()].sort().at(-1) ?? '');
  writeFileSync(newest, readFileSync(newest, 'latin1').replace('"format":1', '"format":2'), 'latin1');
  await expect(openLog(realDisk)).rejects.toThrow(/of another version of streamsql: format 2/);
});

test('a source that is gone from the file and from all checkpoints takes its log along', async () => {
  const opened = async (...sources: readonly string[]): Promise<Intake> => {
    const intake = new Intake(noFault, () => undefined);
    intake.begin(root, realDisk);
    for (const source of sources) await append(await intake.of(source, true).partition('p'), ['a record']);
    return intake;
  };
  const names = (): readonly string[] => [...filesIn(root).keys()].map((path) => path.split('/')[1]?.split('-')[0] ?? '').sort(); // prettier-ignore
  const before = await opened('kept', 'gone', 'checkpointed');
  await before.close();
  const run = await opened('kept', 'added');
  await run.forget([{ name: 'checkpointed', partitions: [{ name: 'p', position: 0 }] }]);
  expect(names()).toEqual(['added', 'checkpointed', 'kept']);
  await run.close();
});
