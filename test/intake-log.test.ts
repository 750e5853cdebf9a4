import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { noFault } from '../src/base/fault.ts';
import type { Disk } from '../src/exec/checkpoint/disk.ts';
import { PartitionLog } from '../src/exec/intake/partition-log.ts';
import { Random } from './fuzz/random.ts';
import { FakeDisk, filesIn, writeFiles } from './simulation/fake-disk.ts';

let root: string;
beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'streamsql-intake-'))));
afterEach(() => rmSync(root, { recursive: true, force: true }));

const openLog = (disk: Disk, segmentBytes = 300): Promise<PartitionLog> =>
  PartitionLog.open({ disk, fault: noFault, segmentBytes }, join(root, 'log'), 'a source');

/** The records that are in a log, and those that an append brought together on one line. */
async function recordsOf(log: PartitionLog): Promise<readonly (readonly string[])[]> {
  const bytes = Buffer.alloc(log.end - log.start.position);
  for (let at = 0; at < bytes.length;) at += await log.read(log.start.position + at, bytes.subarray(at));
  const found: string[][] = [];
  for (const line of bytes.toString('latin1').split('\n').slice(0, -1)) {
    if (line.startsWith('\0F')) found.push([]);
    else found.at(-1)?.push(line);
  }
  return found;
}

const append = (log: PartitionLog, records: readonly string[]): Promise<void> =>
  log.append(records.map((record) => Buffer.from(`${record}\n`)), records.length); // prettier-ignore

class Cut extends Error {}

test('whatever the disk loses with the power, what was acknowledged is there, in order, and each append as a whole', async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new Random(seed);
    rmSync(root, { recursive: true, force: true });
    const acknowledged: (readonly string[])[] = [];
    let next = 0;
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
        acknowledged.splice(0, Infinity, ...before);
        for (;;) {
          const group = Array.from({ length: random.int(1, 3) }, () =>
            Array.from({ length: random.int(1, 4) }, () => `record ${next++} ${'x'.repeat(random.int(0, 40))}`),
          );
          const open = log;
          const outcomes = await Promise.allSettled(group.map((each) => append(open, each)));
          if (outcomes.some(({ status }) => status === 'rejected')) break;
          acknowledged.push(...group);
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
  expect(log.start.ordinal).toBe(60 - (await recordsOf(log)).flat().length);
  await log.close();
  const again = await openLog(new FakeDisk(root, () => undefined));
  expect(again).toMatchObject({ start: log.start, end, head: 'a,b' });
  await again.forget(end);
  expect(filesIn(root).size).toBe(1);
  await append(again, ['one more']);
  await again.close();
  const last = await openLog(new FakeDisk(root, () => undefined));
  expect((await recordsOf(last)).at(-1)).toEqual(['one more']);
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
