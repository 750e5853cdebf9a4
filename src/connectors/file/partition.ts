import type {
  Chunk,
  ChunkBody,
  CsvDialect,
  PartitionState,
  RejectedRecord,
  ScratchPool,
} from '../../base/connector.ts';
import { openStream, type ByteStream } from './byte-stream.ts';
import { cutCsv, cutLines, partition as partitionCut, type Cut } from './cut.ts';
import { headerOf } from './csv-header.ts';
import type { FoundFile } from './glob.ts';
import type { FileSettings } from './options.ts';

/** What the partitions of one source share. */
export interface Shared {
  readonly settings: FileSettings;
  /** Names of the declared columns. */
  readonly columns: readonly string[];
  readonly scratch: ScratchPool;
  readonly parallelism: number;
  readonly window: Window;
  /** A longer record is a dead letter, bytes. */
  readonly longestRecord: number;
}

/** One buffer for all reads: asking for a fresh one costs more than the bytes in it. */
export class Window {
  private buffer = Buffer.alloc(0);

  take(bytes: number): Buffer {
    if (this.buffer.length < bytes) this.buffer = Buffer.allocUnsafeSlow(bytes);
    return this.buffer.subarray(0, bytes);
  }
}

const LEAST_READ = 1 << 16;
const MOST_READ = 1 << 26;
const KEPT_OF_OVERLONG = 1 << 16;
const LF = 10;

/** One file of JSON lines or CSV, read forwards. */
export class FilePartition implements PartitionState {
  readonly name: string;
  position = 0;
  end: number | undefined;
  done: boolean;
  private readonly file: FoundFile;
  private readonly index: number;
  private readonly shared: Shared;
  private stream: ByteStream | undefined;
  /** Where the bytes to be read next begin; `position` stays 0 until the first record, before BOM and header. */
  private at = 0;
  private ordinal = 0;
  private bytesPerRecord = 200;
  private dialect: CsvDialect | undefined;

  constructor(file: FoundFile, index: number, size: number, shared: Shared) {
    this.name = file.name;
    this.file = file;
    this.index = index;
    this.shared = shared;
    this.end = size === 0 ? 0 : undefined;
    this.done = size === 0;
  }

  /** The next records, about `most` of them; [] only at the end. Chunks may hold nothing but rejected records. */
  async next(most: number): Promise<readonly Chunk[]> {
    const stream = await this.begin();
    let size = clamp(most * this.bytesPerRecord * 1.1, LEAST_READ, MOST_READ);
    for (;;) {
      const window = this.shared.window.take(size);
      const read = await stream.read(this.at, window);
      const bytes = window.subarray(0, read);
      const last = read < size || this.at + read === stream.size;
      const cut = this.cut(bytes, last, most);
      if (cut.end > 0 || last) {
        const chunks = await this.hand(cut, bytes);
        stream.keep(bytes.subarray(cut.end));
        await this.advance(cut, last && cut.end === read);
        return chunks;
      }
      if (size >= this.shared.longestRecord) return [await this.rejectOverlong(stream, bytes)];
      stream.keep(bytes);
      size = Math.min(2 * size, this.shared.longestRecord);
    }
  }

  async close(): Promise<void> {
    await this.stream?.close();
    this.stream = undefined;
  }

  /** The first record, as a partition of its own would read it. */
  async peek(): Promise<Chunk | undefined> {
    const twin = new FilePartition(this.file, this.index, this.done ? 0 : 1, this.shared);
    try {
      while (!twin.done) {
        const chunks = await twin.next(1);
        const found = chunks.find(({ records }) => records > 0);
        for (const chunk of chunks) if (chunk !== found) chunk.release();
        if (found !== undefined) return found;
      }
      return undefined;
    } finally {
      await twin.close();
    }
  }

  /** Opens the file and steps over the byte order mark and the header. */
  private async begin(): Promise<ByteStream> {
    if (this.stream !== undefined) return this.stream;
    const stream = await openStream(this.file, this.shared.settings.compression);
    this.stream = stream;
    this.end = stream.size;
    const mark = this.shared.window.take(3);
    const read = await stream.read(0, mark);
    const hasMark = read === 3 && mark[0] === 0xef && mark[1] === 0xbb && mark[2] === 0xbf;
    if (hasMark) this.at = 3;
    else stream.keep(mark.subarray(0, read));
    const { format } = this.shared.settings;
    if (format.kind === 'csv') {
      const { columns, window } = this.shared;
      if (!format.header) this.dialect = { ...format.quoting, header: columns };
      else {
        const found = await headerOf(stream, this.at, window, { file: this.file, columns, quoting: format.quoting });
        this.dialect = { ...format.quoting, header: found.header };
        this.at = found.end;
      }
    }
    return stream;
  }

  private cut(bytes: Buffer, last: boolean, most: number): Cut {
    return this.dialect === undefined ? cutLines(bytes, last, most) : cutCsv(bytes, last, most, this.dialect);
  }

  /** Copies the records into scratch files, so that the window may be read over. */
  private async hand(cut: Cut, bytes: Buffer): Promise<readonly Chunk[]> {
    if (cut.end === 0 && this.at === this.position) return [];
    let done = { records: 0, end: 0 };
    const chunks: Promise<Chunk>[] = [];
    for (const stop of partitionCut(cut, this.shared.parallelism)) {
      const from = done.end === 0 ? this.position : this.at + done.end;
      const first = this.ordinal + done.records;
      const range = { from, to: this.at + stop.end, first, records: stop.records - done.records };
      chunks.push(this.chunk(range, bytes.subarray(done.end, stop.end), this.at + done.end, []));
      done = stop;
    }
    return Promise.all(chunks);
  }

  private async chunk(
    range: { readonly from: number; readonly to: number; readonly first: number; readonly records: number },
    bytes: Buffer,
    byteOffset: number,
    rejected: readonly RejectedRecord[],
  ): Promise<Chunk> {
    const file = this.shared.scratch.acquire();
    await file.write([bytes]);
    const place = { path: file.path, bytes: bytes.length, byteOffset };
    const body: ChunkBody =
      this.dialect === undefined ? { kind: 'json', ...place } : { kind: 'csv', ...place, dialect: this.dialect };
    return {
      partition: this.index,
      from: range.from,
      to: range.to,
      records: range.records,
      runs: range.records === 0 ? [] : [{ first: range.first, count: range.records }],
      body,
      rejected,
      release: () => file.release(),
    };
  }

  private async advance(cut: Cut, finished: boolean): Promise<void> {
    this.at += cut.end;
    this.position = this.at;
    this.ordinal += cut.records;
    if (cut.records > 0) this.bytesPerRecord = cut.end / cut.records;
    if (!finished) return;
    this.done = true;
    this.end = this.position;
    await this.close();
  }

  /** Nothing ends within the longest record allowed: skips to the next line, whatever stands before it. */
  private async rejectOverlong(stream: ByteStream, bytes: Buffer): Promise<Chunk> {
    const [from, start] = [this.position, this.at];
    const payload = Buffer.from(bytes.subarray(0, KEPT_OF_OVERLONG));
    const reason = `the record is longer than ${this.shared.longestRecord} bytes; its first ${payload.length} are kept`;
    let [window, feed] = [bytes, -1];
    while (feed === -1 && window.length > 0) {
      feed = window.indexOf(LF);
      this.at += feed === -1 ? window.length : feed + 1;
      if (feed !== -1) stream.keep(window.subarray(feed + 1));
      else window = window.subarray(0, await stream.read(this.at, window));
    }
    const chunk = await this.chunk({ from, to: this.at, first: this.ordinal, records: 0 }, Buffer.alloc(0), start, [
      { offset: start, payload, reason },
    ]);
    await this.advance({ records: 0, end: 0, marks: [] }, feed === -1);
    this.ordinal++;
    return chunk;
  }
}

const clamp = (value: number, least: number, most: number): number => Math.ceil(Math.min(most, Math.max(least, value)));
