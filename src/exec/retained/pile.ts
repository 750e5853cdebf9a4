import { open, rm, type FileHandle } from 'node:fs/promises';
import { join as joinPath } from 'node:path';
import type { Chunk } from '../../base/connector.ts';
import { StreamsqlError } from '../../base/errors.ts';
import { join, raw, sql } from '../../base/sql.ts';
import type { RetainedRange } from '../checkpoint/manifest.ts';
import type { DuckConnection } from '../duck.ts';
import { rawLines, readLines, rejectedLines, type RawLines, type Window } from './raw-lines.ts';

/** Consecutive lines of a pile that are of one chunk and have consecutive offsets. */
interface Segment {
  readonly lines: number;
  readonly partition: string;
  readonly firstOffset: number;
  readonly from: number;
  readonly to: number;
  readonly clock: bigint;
}

/** Raw records on their way into a file of Parquet, in the order in which they came: lines in a file of its own, and whose each is. */
export class Pile {
  lines = 0;
  bytes = 0;
  /** The engine's clock when the first and the last of them came. */
  since = 0n;
  clock = 0n;
  readonly epochs = { first: 0, last: 0 };
  /** Where its lines are, from the state folder. */
  readonly file: string;
  private readonly path: string;
  private readonly window: Window;
  private handle: FileHandle | undefined;
  private isEscaped = false;
  private longest = 0;
  private readonly segments: Segment[] = [];
  private readonly held = new Map<string, { name: string; from: number; to: number }>();

  constructor(folder: string, file: string, window: Window) {
    this.file = file;
    this.path = joinPath(folder, file);
    this.window = window;
  }

  get ranges(): readonly RetainedRange[] {
    return [...this.held.values()];
  }

  /** Adds the records of an epoch, those that the reader rejected as well. */
  async add(chunks: readonly Chunk[], names: readonly string[], epoch: number, clock: bigint): Promise<void> {
    if (this.handle === undefined) {
      this.handle = await open(this.path, 'w');
      this.since = clock;
      this.epochs.first = epoch;
    }
    for (const chunk of chunks) {
      const { from, to, records, runs, rejected } = chunk;
      const name = names[chunk.partition] ?? '';
      const place = { partition: name, from, to, clock };
      if (records > 0) await this.append(this.handle, await rawLines(chunk, this.window));
      if (rejected.length > 0) await this.append(this.handle, rejectedLines(rejected));
      for (const { first, count } of runs) this.segments.push({ ...place, firstOffset: first, lines: count });
      for (const { offset } of rejected) this.segments.push({ ...place, firstOffset: offset, lines: 1 });
      this.lines += records + rejected.length;
      const known = this.held.get(name);
      if (known === undefined) this.held.set(name, { name, from, to });
      else known.to = to;
    }
    this.epochs.last = epoch;
    this.clock = clock;
  }

  /** Nothing more will be added. */
  async seal(): Promise<void> {
    await this.handle?.close();
    this.handle = undefined;
  }

  /** Writes the records as Parquet, a row each. */
  async write(connection: DuckConnection, path: string): Promise<void> {
    const { isEscaped, longest } = this;
    const values = this.segments.map(({ lines, partition, firstOffset, from, to, clock }) => sql`(${partition}, ${firstOffset}, ${lines}, ${from}, ${to}, ${clock})`); // prettier-ignore
    const places = sql`SELECT partition, unnest(range(CAST("first" AS BIGINT), CAST("first" + "lines" AS BIGINT))) AS "offset",
        CAST("from" AS BIGINT) AS "from", CAST("to" AS BIGINT) AS "to", make_timestamp(CAST(clock AS BIGINT)) AS clock
      FROM (VALUES ${join(values)}) AS s(partition, "first", "lines", "from", "to", clock)`;
    const rows = await connection.run(
      sql`COPY (SELECT p.partition, p."offset", r.payload, r.bytes, r.reason, p."from", p."to", p.clock FROM ${readLines(this.path, { isEscaped, longest })} AS r POSITIONAL JOIN (${places}) AS p) TO ${path} (FORMAT parquet, COMPRESSION ${raw('zstd')})`,
    );
    if (rows !== this.lines) throw new StreamsqlError('INTERNAL', `${rows} of ${this.lines} raw records were written`);
  }

  /** Its own file goes. */
  async remove(): Promise<void> {
    await this.seal();
    await rm(this.path, { force: true });
  }

  private async append(handle: FileHandle, { bytes, isEscaped, longest }: RawLines): Promise<void> {
    await handle.writeFile(bytes);
    this.bytes += bytes.byteLength;
    this.isEscaped ||= isEscaped;
    this.longest = Math.max(this.longest, longest);
  }
}
