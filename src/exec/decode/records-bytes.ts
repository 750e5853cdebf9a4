import { StreamsqlError } from '../../base/errors.ts';
import type { Chunk, ScratchFile, ScratchPool } from '../../base/connector.ts';
import { offsetOf } from './layout.ts';
import { payloadText } from './records.ts';

/** Records that are stretches of a file's bytes. */
export class ByteRecords {
  readonly bytes: Buffer;
  /** Of each record, without its line end. */
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  readonly rejected = new Map<number, string>();
  /** Records to be read from other bytes than their own. */
  readonly rewritten = new Map<number, Buffer>();
  private readonly chunk: Chunk;
  private readonly byteOffset: number | undefined;
  private file: ScratchFile | undefined;

  constructor(
    chunk: Chunk,
    byteOffset: number | undefined,
    bytes: Buffer,
    bounds: { readonly starts: readonly number[]; readonly ends: readonly number[] },
  ) {
    this.chunk = chunk;
    this.byteOffset = byteOffset;
    this.bytes = bytes;
    this.starts = bounds.starts;
    this.ends = bounds.ends;
    if (bounds.starts.length !== chunk.records) {
      const message = `a chunk of partition ${chunk.partition} has ${bounds.starts.length} records where ${chunk.records} were announced`;
      throw new StreamsqlError('INTERNAL', message);
    }
  }

  get count(): number {
    return this.starts.length;
  }

  reject(ordinal: number, reason: string): void {
    if (!this.rejected.has(ordinal)) this.rejected.set(ordinal, reason);
  }

  slice(ordinal: number): Buffer {
    return this.bytes.subarray(this.starts[ordinal], this.ends[ordinal]);
  }

  text(ordinal: number): string {
    return this.slice(ordinal).toString('utf8');
  }

  /** Ordinals of the records left. */
  *left(): Generator<number> {
    for (let i = 0; i < this.count; i++) if (!this.rejected.has(i)) yield i;
  }

  longest(): number {
    let longest = 0;
    for (let i = 0; i < this.count; i++) longest = Math.max(longest, (this.ends[i] ?? 0) - (this.starts[i] ?? 0));
    return longest;
  }

  /** The records left, one a line, in a scratch file; a stretch of untouched ones is written as one piece. */
  async write(scratch: ScratchPool): Promise<string> {
    const feed = Buffer.from('\n');
    const pieces: Buffer[] = [];
    let [from, to] = [0, 0];
    const flush = (): void => {
      if (to > from) pieces.push(this.bytes.subarray(from, to), feed);
      from = to;
    };
    for (let i = 0; i < this.count; i++) {
      const other = this.rewritten.get(i);
      if (this.rejected.has(i) || other !== undefined) {
        flush();
        if (other !== undefined && !this.rejected.has(i)) pieces.push(other, feed);
        from = to = this.starts[i + 1] ?? 0;
      } else {
        if (to > from && !this.adjoins(i)) flush();
        if (to === from) from = this.starts[i] ?? 0;
        to = this.ends[i] ?? 0;
      }
    }
    flush();
    this.file ??= scratch.acquire();
    await this.file.write(pieces);
    return this.file.path;
  }

  /** Whether nothing but one line end stands between a record and the one before it. */
  private adjoins(ordinal: number): boolean {
    const between = this.bytes.subarray(this.ends[ordinal - 1] ?? 0, this.starts[ordinal] ?? 0);
    return between.length === 1 || (between.length === 2 && between[0] === 13);
  }

  /** `own`: what the record itself says. */
  describe(
    ordinals: readonly number[],
    own: (bytes: Buffer) => Buffer = (bytes) => bytes,
  ): Promise<readonly { readonly payload: string; readonly offset: number }[]> {
    return Promise.resolve(
      ordinals.map((i) => ({
        payload: payloadText(own(this.slice(i))),
        offset: this.byteOffset === undefined ? offsetOf(this.chunk, i) : this.byteOffset + (this.starts[i] ?? 0),
      })),
    );
  }
}
