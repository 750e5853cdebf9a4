import { expect, test } from 'vitest';
import type { Chunk, ScratchPool, SourceReader } from '../../src/base/connector.ts';
import type { Column } from '../../src/base/schema.ts';
import { ident } from '../../src/base/sql.ts';
import { decode } from '../../src/exec/decode/decoder.ts';
import { openScratch } from '../../src/exec/scratch.ts';
import {
  itResumes,
  opened,
  readAll,
  readOn,
  record,
  resumeAt,
  type Subject,
  type Tape,
} from '../support/resume-suite.ts';

/** A source as the suite wants it: with more than 300 records in it, some of them bad where there are bad ones. */
export interface Specimen extends Subject {
  /** What it declares; absent where its records are not decoded as rows. */
  readonly columns?: readonly Column[];
  /** How many of its records are dead letters; 0. */
  readonly bad?: number;
  /** Dead letters are named by the ordinal of their record, which is not its position. */
  readonly ordinals?: boolean;
  /** How many records a poll may bring, in turn; for those of which one at a time takes too long. */
  readonly sizes?: readonly number[];
  /** Adds so many good records: to a partition that is there, or as a partition of their own. */
  readonly grow?: Readonly<Partial<Record<'partition' | 'list', (records: number) => Promise<void> | void>>>;
}

/**
 * What every source keeps to, whatever it reads. `make` gives the same content each time, in a test's own place; `numRuns`: of
 * the properties.
 */
export function itConforms(make: () => Specimen | Promise<Specimen>, numRuns: number): void {
  itResumes(make, numRuns);

  test('is the same however it is cut', async () => {
    const specimen = await make();
    const whole = await readAll(specimen, [1_000_000]);
    for (const size of specimen.sizes ?? [1, 2, 7, 100]) {
      const cut = await readAll(specimen, [size]);
      expect(cut.map(ending)).toEqual(whole.map(ending));
    }
  });

  test('each record is a row or a dead letter at its own place', async () => {
    const specimen = await make();
    const { columns } = specimen;
    if (columns === undefined) return;
    const letters: unknown[] = [];
    for (const size of [Math.max(...(specimen.sizes ?? [7])), 1_000_000]) {
      const dead = await opened(specimen, {}, (reader) => deadLetters({ ...specimen, columns }, reader, size));
      expect(dead).toHaveLength(specimen.bad ?? 0);
      expect(new Set(dead.map(([partition, offset]) => `${partition} ${offset}`)).size).toBe(dead.length);
      letters.push(dead);
    }
    expect(letters[0]).toEqual(letters[1]);
  });

  test('a look at the first record takes nothing', async () => {
    const specimen = await make();
    const whole = await readAll(specimen, [1_000_000]);
    await opened(specimen, {}, async (reader, tapes) => {
      if (reader.peek === undefined) return;
      for (const [index, tape] of whole.entries()) {
        const chunk = await reader.peek(index);
        if (chunk !== undefined) expect(chunk).toMatchObject({ partition: index, records: 1 });
        else expect(tape.records.every((record) => record.includes(' rejected: '))).toBe(true);
        chunk?.release();
      }
      await readOn(specimen, reader, tapes, [1_000_000]);
      expect(tapes.map(ending)).toEqual(whole.map(ending));
      for (const index of whole.keys()) expect(await reader.peek(index)).toBeUndefined();
    });
  });

  test('reads of no partition but those that it may, and not from one without', async () => {
    const specimen = await make();
    await opened(specimen, {}, async (reader) => {
      for (const index of reader.partitions.keys()) {
        const before = reader.partitions.map(({ position }) => position);
        const request = { partitions: new Set([index]), maxRecords: 5, waitMs: 100 };
        for (const chunk of await reader.poll(request)) {
          expect(chunk.partition).toBe(index);
          chunk.release();
        }
        const after = reader.partitions.map(({ position }) => position);
        expect(after.toSpliced(index, 1)).toEqual(before.toSpliced(index, 1));
      }
      const none = { partitions: new Set<number>(), maxRecords: 5, waitMs: 0 };
      expect(await reader.poll(none)).toEqual([]);
    });
  });

  test('at the end nothing comes, and a wait is over when the run is', async () => {
    const specimen = await make();
    const run = new AbortController();
    await opened(specimen, { signal: run.signal }, async (reader, tapes) => {
      await readOn(specimen, reader, tapes, [1_000_000]);
      for (const { position, end } of reader.partitions) expect(position).toBe(end);
      expect(reader.partitions.every(({ done }) => done)).toBe(specimen.isUnbounded !== true);
      expect(await reader.poll({ partitions: 'all', maxRecords: 10, waitMs: 0 })).toEqual([]);
      const waiting = reader.poll({ partitions: 'all', maxRecords: 10, waitMs: 600_000 });
      run.abort();
      expect(await waiting).toEqual([]);
    });
  });

  test('gives back each file that it took, once', async () => {
    const specimen = await make();
    const pool = countingPool();
    await opened(specimen, { scratch: pool.scratch }, async (reader, tapes) => {
      const chunks = await reader.poll({ partitions: 'all', maxRecords: 20, waitMs: 1000 });
      for (const chunk of chunks) chunk.release();
      for (const index of tapes.keys()) (await reader.peek?.(index))?.release();
      expect(pool.out()).toBe(0);
      if (specimen.isUnbounded !== true) for (const chunk of await drain(reader)) chunk.release();
    });
    expect(pool.out()).toBe(0);
    pool.scratch.close();
  });

  test('what is added is read on, by who reads and by who comes back', async () => {
    const specimen = await make();
    const { grow = {}, isUnbounded = false } = specimen;
    for (const [kind, add] of Object.entries(grow)) {
      const before = await readAll(specimen, [50]);
      const resume = resumeAt(before, before.map(({ last }) => last)); // prettier-ignore
      const live = await opened(specimen, { resume }, async (reader, tapes) => {
        await add(3);
        if (isUnbounded) await untilCount(specimen, reader, tapes, 3);
        return tapes;
      });
      const back = await opened(specimen, { resume }, async (reader, tapes) => {
        await untilCount(specimen, reader, tapes, 3);
        return tapes;
      });
      if (isUnbounded) expect(live.map(ending)).toEqual(back.map(ending));
      expect(back.slice(0, before.length).map(({ name }) => name)).toEqual(before.map(({ name }) => name));
      expect(back).toHaveLength(before.length + (kind === 'list' ? 1 : 0));
      const whole = await readAll(specimen, [1_000_000]);
      const rest = whole.map(({ name, records }) => [name, records.slice(before.find((tape) => tape.name === name)?.last.count ?? 0)]); // prettier-ignore
      expect(new Map(back.map(({ name, records }) => [name, records]))).toEqual(new Map(rest as [string, string[]][]));
    }
  });
}

const ending = ({ name, records, last: { position, ordinal, check } }: Tape): unknown => ({ name, records, position, ordinal, check }); // prettier-ignore

async function untilCount(subject: Subject, reader: SourceReader, tapes: Tape[], count: number): Promise<void> {
  const read = (): number => tapes.reduce((sum, { records }) => sum + records.length, 0);
  for (let tries = 0; read() < count; tries++) {
    expect(tries).toBeLessThan(1000);
    const chunks = await reader.poll({ partitions: 'all', maxRecords: 2, waitMs: 100 });
    for (const chunk of chunks) {
      await record(subject.connection, reader, tapes, chunk);
      chunk.release();
    }
  }
}

async function drain(reader: SourceReader): Promise<readonly Chunk[]> {
  const all: Chunk[] = [];
  while (reader.partitions.some(({ done }) => !done))
    all.push(...(await reader.poll({ partitions: 'all', maxRecords: 1_000_000, waitMs: 500 })));
  return all;
}

async function deadLetters(
  { connection, columns, isUnbounded = false, ordinals = false }: Omit<Specimen, 'columns'> & { readonly columns: readonly Column[] },
  reader: SourceReader,
  maxRecords: number,
): Promise<readonly (readonly [number, number, string, string])[]> {
  const plan = { source: 's', strict: false, columns, computed: [], proctime: [], eventTime: undefined, identity: true };
  const dead: (readonly [number, number, string, string])[] = [];
  while (!reader.partitions.every(({ done, position, end }) => done || (isUnbounded && position === end))) {
    const chunks = await reader.poll({ partitions: 'all', maxRecords, waitMs: isUnbounded ? 10 : 500 });
    const found = await decode(connection, plan, ident('conforming'), chunks, 0n);
    const records = chunks.reduce((sum, each) => sum + each.records + each.rejected.length, 0);
    expect(found.rows + found.dead.length).toBe(records);
    for (const { partition, offset, payload, reason } of found.dead) {
      const has = ({ from, to, ordinal }: Chunk): boolean => ordinals ? offset < (ordinal ?? 0) : from <= offset && offset < to;
      expect(chunks.some((chunk) => chunk.partition === partition && has(chunk))).toBe(true);
      dead.push([partition, offset, String(payload), reason]);
    }
    for (const chunk of chunks) chunk.release();
  }
  return dead.sort(([a, x], [b, y]) => a - b || x - y);
} // prettier-ignore

/** Counts the files that are taken and not given back, of which none may be given back twice. */
function countingPool(): { readonly scratch: ScratchPool; out(): number } {
  const pool = openScratch();
  const out = new Set<object>();
  const acquire = (): ReturnType<ScratchPool['acquire']> => {
    const file = pool.acquire();
    const token = {};
    out.add(token);
    const release = (): void => {
      expect(out.delete(token)).toBe(true);
      file.release();
    };
    return { path: file.path, write: (pieces) => file.write(pieces), release };
  };
  return { scratch: { acquire, close: () => pool.close() }, out: () => out.size };
}
