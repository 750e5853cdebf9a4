import type { Chunk, PartitionState, PollRequest, SourceReader } from '../../src/base/connector.ts';
import { raw } from '../../src/base/sql.ts';

/** Seconds of event time by partition, each in order. */
export type Timeline = readonly (readonly number[])[];

/** What there is at a time: all of it, or, live, what has happened by then. */
export interface World {
  until: number;
  /** Seconds that go by whenever a source is asked. */
  readonly pace: number;
}

/** Gives rows `(k BIGINT, ts TIMESTAMP)` as a broker does: of the partitions asked for, at most so many, each its share. */
export class TimedReader implements SourceReader {
  private readonly timeline: Timeline;
  private readonly world: World;
  private readonly states: { name: string; position: number }[];

  constructor(name: string, timeline: Timeline, world: World) {
    this.timeline = timeline;
    this.world = world;
    this.states = timeline.map((_, i) => ({ name: `${name}-${i}`, position: 0 }));
  }

  get partitions(): readonly PartitionState[] {
    return this.states.map((state, i) => {
      const done = state.position >= (this.timeline[i]?.length ?? 0);
      return { ...state, end: this.end(i), done };
    });
  }

  private end(partition: number): number {
    const times = this.timeline[partition] ?? [];
    const later = times.findIndex((time) => time > this.world.until);
    return later === -1 ? times.length : later;
  }

  open(): Promise<void> {
    return Promise.resolve();
  }

  async poll({ partitions, maxRecords }: PollRequest): Promise<readonly Chunk[]> {
    await new Promise((resolve) => setImmediate(resolve));
    this.world.until += this.world.pace;
    const asked = [...this.states.keys()].filter((i) => partitions === 'all' || partitions.has(i));
    const ready = asked.filter((i) => (this.states[i]?.position ?? 0) < this.end(i));
    const share = Math.max(1, Math.floor(maxRecords / Math.max(1, ready.length)));
    return ready.map((partition) => this.take(partition, share));
  }

  private take(partition: number, most: number): Chunk {
    const state = this.states[partition];
    if (state === undefined) throw new Error(`no partition ${partition}`);
    const from = state.position;
    const to = Math.min(this.end(partition), from + most);
    state.position = to;
    const rows = (this.timeline[partition] ?? []).slice(from, to).map((time, i) => `(${from + i}, make_timestamp(${time}::BIGINT * 1000000))`); // prettier-ignore
    const records = to - from;
    return {
      partition, from, to, records, runs: [{ first: from, count: records }], rejected: [], release: () => undefined,
      body: { kind: 'query', sql: raw(`SELECT CAST(k AS BIGINT) AS k, ts FROM (VALUES ${rows.join(', ')}) t(k, ts)`) },
    }; // prettier-ignore
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
