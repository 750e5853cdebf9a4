import { expect, it } from 'vitest';
import type { Chunk } from '../src/base/connector.ts';

import { SourceClock } from '../src/exec/source-clock.ts';

const SECOND = 1_000_000n;

interface Partition {
  readonly name: string;
  position: number;
  end: number | undefined;
  done: boolean;
  answers?: number;
  away?: boolean;
}

/** A source whose delay is a second and whose partitions are idle after ten; all times are seconds. */
class Source {
  readonly partitions: Partition[];
  readonly clock: SourceClock;
  now = 0;

  constructor(count: number, answers?: number, since?: number) {
    this.partitions = Array.from({ length: count }, (_, i) => ({
      name: `p${i}`, position: 0, end: 0, done: false, ...(answers !== undefined && { answers }),
    })); // prettier-ignore
    this.clock = new SourceClock({
      bounded: false, timing: { idleMs: 10_000, onQuiet: 'advance', maxFutureMs: undefined }, delay: SECOND,
      partitions: () => this.partitions, now: () => BigInt(this.now) * SECOND,
      since: since === undefined ? undefined : BigInt(since) * SECOND,
    }); // prettier-ignore
    this.look();
  }

  /** A record of this event time has come, and an epoch has taken it. */
  take(partition: number, time: number): void {
    const state = this.partitions[partition];
    if (state === undefined) throw new Error(`no partition ${partition}`);
    const [from, at] = [state.position++, BigInt(time) * SECOND];
    state.end = Math.max(state.end ?? 0, state.position);
    const chunk = { partition, from, to: from + 1, records: 1, rejected: [] } as unknown as Chunk;
    this.clock.decide(BigInt(this.now) * SECOND);
    this.clock.took([{ partition, firstRow: 0, rows: 1, min: at, max: at }], [chunk], BigInt(this.now) * SECOND);
    this.clock.settle();
  }

  /** An epoch in which nothing comes; where the watermark is then. */
  look(): number | undefined {
    this.clock.decide(BigInt(this.now) * SECOND);
    const watermark = this.clock.settle();
    return watermark === undefined ? undefined : Number(watermark) / 1e6;
  }

  /** So many seconds go by, and the broker answers in each, or is away. */
  wait(seconds: number, answering = true): number | undefined {
    for (let i = 0; i < seconds; i++) {
      this.now++;
      for (const partition of this.partitions) if (answering && partition.answers !== undefined) partition.answers++;
      this.clock.due(BigInt(this.now) * SECOND);
    }
    return this.look();
  }

  why(): unknown {
    const hold = this.clock.hold(BigInt(this.now) * SECOND);
    return hold === undefined ? undefined : [hold.partition, hold.reason];
  }
}

it('a partition at its end is idle after its time, one with a backlog never', () => {
  const source = new Source(2);
  source.take(1, 5);
  source.wait(9);
  source.take(0, 50);
  expect([source.look(), source.why()]).toEqual([4, [1, 'nothing new']]);
  expect(source.wait(1)).toBe(49);
  source.wait(1);
  const [, idle] = source.partitions as [Partition, Partition];
  idle.end = 7;
  source.take(0, 90);
  expect([source.look(), source.why()]).toEqual([49, [1, 'backlog']]);
});

it('what has been read ahead of the epochs is a backlog', () => {
  const source = new Source(2);
  source.take(1, 5);
  source.wait(9);
  source.take(0, 50);
  const [, ahead] = source.partitions as [Partition, Partition];
  [ahead.position, ahead.end] = [2, 2];
  expect(source.wait(5)).toBe(4);
});

it('an outage is not idleness, and neither are the first seconds after it', () => {
  const source = new Source(1, 1);
  source.take(0, 5);
  expect(source.wait(60, false)).toBe(4);
  expect(source.wait(10)).toBe(4);
  // Since the last record: 60, 10 and 2 seconds.
  expect(source.wait(2)).toBe(4 + 72);
  expect(source.why()).toEqual([undefined, 'clock']);
  expect(source.wait(3, false)).toBe(4 + 75);
  source.wait(3, false);
  expect(source.wait(20, false)).toBe(4 + 75);
});

it('a partition that turns up starts from what was announced; a source without one waits for it', () => {
  const source = new Source(0);
  expect([source.look(), source.why()]).toEqual([undefined, [undefined, 'no partition yet']]);
  source.partitions.push({ name: 'p0', position: 0, end: 0, done: false });
  expect(source.why()).toEqual([0, 'no event time yet']);
  source.take(0, 20);
  source.partitions.push({ name: 'p1', position: 0, end: 0, done: false });
  source.take(1, 3);
  source.take(0, 60);
  expect([source.look(), source.clock.watermarks()]).toEqual([19, new Map([[0, 59n * SECOND], [1, 19n * SECOND]])]); // prettier-ignore
  for (const partition of source.partitions) partition.done = true;
  source.look();
  // More may turn up: only input that ends is over, but what has ended holds nothing back.
  expect(source.clock.watermark).toBe(59_000_000n);
});

it('what comes only while someone listens is not idle for the time in which nobody did', () => {
  const source = new Source(1, undefined, 3600);
  source.now = 3600;
  source.clock.load(
    { name: 'p0', position: 1, initial: 0, ordinal: 1, end: 1, greatest: '5000000', active: '1000000' },
    0,
  );
  source.clock.restore(4_000_000n, 1_000_000n);
  Object.assign(source.partitions[0] ?? {}, { position: 1, end: 1 });
  expect([source.look(), source.wait(9)]).toEqual([4, 4]);
  expect(source.wait(2)).toBe(4 + 11);
});

it('small files that have not begun are one epoch, as many as make one; of what has begun nobody knows', () => {
  const source = new Source(6);
  const [begun] = source.partitions as [Partition];
  source.take(0, 1);
  // A record a position.
  for (const [i, partition] of source.partitions.entries()) {
    if (i > 0) source.clock.at(i).first = BigInt(10 * i) * SECOND;
    partition.end = i === 0 ? 1 : 100;
  }
  const reach = (records: number): number => Number((source.clock.frontier(records)?.reach ?? 0n) / SECOND);
  expect([0, 100, 101, 201, 202, 1000].map(reach)).toEqual([10, 10, 10, 10, 20, 50]);
  begun.end = 500;
  expect(reach(1000)).toBe(1);
});

it('a source that says itself that it is out of reach is believed at once', () => {
  const source = new Source(1, 1);
  source.take(0, 5);
  source.wait(8);
  Object.assign(source.partitions[0] ?? {}, { away: true });
  expect(source.wait(4, false)).toBe(4);
  Object.assign(source.partitions[0] ?? {}, { away: false });
  expect(source.wait(9)).toBe(4);
  expect(source.wait(3)).toBeGreaterThan(4);
});

it('one that can always be reached was told of when it was looked at, however long ago that is', () => {
  const source = new Source(2, 1);
  for (const partition of source.partitions) partition.away = false;
  source.take(1, 5);
  source.take(0, 50);
  // Nobody may look for a long time, as when epochs take long.
  expect(source.wait(20, false)).toBe(4);
  // Both are quiet, and have been since.
  expect(source.wait(1)).toBe(49 + 21);
});
