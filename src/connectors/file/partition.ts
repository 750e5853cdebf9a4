import { stat } from 'node:fs/promises';
import type {
  Chunk,
  ChunkBody,
  CsvDialect,
  PartitionState,
  RejectedRecord,
  SourceContext,
} from '../../base/connector.ts';
import { joinChecks, NO_BYTES, type Check } from '../../base/crc32.ts';
import { checkOf, extendCheck } from '../check.ts';
import { ArrayCutter, beginsArray } from './array.ts';
import { openStream, plainSize, type ByteStream } from './byte-stream.ts';
import { cutCsv, cutLines, partition as partitionCut, type Cut } from './cut.ts';
import { headerOf } from './csv-header.ts';
import type { FoundFile } from './glob.ts';
import { changedFile, isFinished, passGone, passShorter, shorterFile, type ListedFile } from './listed-files.ts';
import type { FileSettings } from './options.ts';

/** What the partitions of one source share. */
export interface Shared {
  readonly settings: FileSettings;
  /** Names of the declared columns. */
  readonly columns: readonly string[];
  readonly context: Pick<SourceContext, 'scratch' | 'parallelism' | 'resume' | 'skipped'>;
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
/** So many bytes tell whether a file is an array. */
const LOOKED_AT = 1 << 12;
const KEPT_OF_OVERLONG = 1 << 16;
const LF = 10;
const CR = 13;

/** A stretch of a file that becomes a chunk. */
interface Stretch {
  readonly from: number;
  readonly to: number;
  /** The ordinal of its first record, and of the one after its last. */
  readonly first: number;
  readonly next: number;
  readonly records: number;
  readonly check: Check;
}

/** One file of JSON lines or CSV, read forwards. */
export class FilePartition implements PartitionState {
  readonly name: string;
  position: number;
  end: number | undefined;
  about: number | undefined;
  done: boolean;
  private readonly listed: ListedFile;
  private readonly file: FoundFile;
  private readonly index: number;
  private readonly shared: Shared;
  private stream: ByteStream | undefined;
  /** Where the bytes to be read next begin; `position` stays 0 until the first record, before BOM and header. */
  private at = 0;
  /** Of the bytes before `at` that no chunk has claimed: BOM and header are the first one's. */
  private before: Check = NO_BYTES;
  private ordinal: number;
  private bytesPerRecord = 200;
  private dialect: CsvDialect | undefined;
  /** Of a file that is a JSON array. */
  private array: ArrayCutter | undefined;
  private readonly openBytes: () => Promise<ByteStream>;

  private constructor(listed: ListedFile, index: number, shared: Shared, openBytes?: () => Promise<ByteStream>) {
    this.name = listed.file.name;
    this.listed = listed;
    this.file = listed.file;
    this.index = index;
    this.shared = shared;
    this.position = listed.position;
    this.ordinal = listed.ordinal;
    this.end = listed.end;
    this.done = false;
    this.openBytes = openBytes ?? (() => openStream(listed.file, shared.settings.compression));
  }

  /** One that is written to: of `openBytes`, which never end, records are read that have their end. */
  static growing(
    listed: ListedFile,
    index: number,
    shared: Shared,
    openBytes: () => Promise<ByteStream>,
  ): FilePartition {
    return new FilePartition(listed, index, shared, openBytes);
  }

  /** Looks at the file, but reads nothing of it yet. Throws GAP where it ends before the position. */
  static async at(listed: ListedFile, index: number, shared: Shared): Promise<FilePartition> {
    const made = new FilePartition(listed, index, shared);
    if (await made.isOver()) made.finish();
    return made;
  }

  private async isOver(): Promise<boolean> {
    const { listed, shared } = this;
    if (!listed.isThere) {
      if (!isFinished(listed)) passGone(listed, 'byte', shared.context);
      return true;
    }
    if (listed.position === 0) return (await stat(this.file.path)).size === 0;
    const size = await plainSize(this.file, shared.settings.compression);
    // Whether more was appended to a compressed file could only be told by reading all of it.
    if (size === undefined) return isFinished(listed);
    if (size < listed.position) passShorter(listed, size, 'byte', shared.context);
    return size <= listed.position;
  }

  /** Nothing is left of it before `stop`, which it is known to have reached once. */
  isRead(stop: number): boolean {
    return this.position >= stop || (this.done && stop === Infinity);
  }

  /**
   * The next records, about `most` of them, none beyond `stop`, where one ends; [] only at the end, or where no more of
   * them has been written yet. Chunks may hold nothing but rejected records.
   */
  async next(most: number, stop = Infinity): Promise<readonly Chunk[]> {
    const stream = this.done ? undefined : await this.begin();
    if (stream === undefined || this.done) {
      if (stop === Infinity) return [];
      throw shorterFile(this.file, this.position, stop, 'byte');
    }
    if (this.at > stop) throw changedFile(this.file, stop);
    const { longestRecord } = this.shared;
    let size = Math.min(clamp(most * this.bytesPerRecord * 1.1, LEAST_READ, MOST_READ), longestRecord);
    for (;;) {
      const window = this.shared.window.take(Math.min(size, stop - this.at));
      const read = await stream.read(this.at, window);
      const bytes = window.subarray(0, read);
      const [to, ended] = [this.at + read, stream.ended(this.at + read)];
      if (ended && stop !== Infinity && to < stop) throw shorterFile(this.file, to, stop, 'byte');
      const last = ended || to === stop;
      const cut = this.cut(bytes, last, most);
      if (cut.end === 0 && ended && this.array?.isClosed === false) throw this.array.unended(this.at);
      if (cut.end > 0 || last) {
        const chunks = await this.hand(cut, bytes);
        stream.keep(bytes.subarray(cut.end));
        await this.advance(cut, ended && cut.end === read);
        return chunks;
      }
      if (read < window.length) {
        if (stop !== Infinity) throw shorterFile(this.file, to, stop, 'byte');
        stream.keep(bytes);
        return [];
      }
      if (size >= longestRecord && this.array !== undefined) throw this.array.unended(this.at);
      if (size >= longestRecord) return [await this.rejectOverlong(stream, bytes)];
      stream.keep(bytes);
      size = Math.min(2 * size, longestRecord);
    }
  }

  async close(): Promise<void> {
    await this.stream?.close();
    this.stream = undefined;
  }

  /** The first record, as a partition of its own would read it; of one that has begun, undefined. */
  async peek(): Promise<Chunk | undefined> {
    if (this.done || this.position > 0) return undefined;
    const twin = new FilePartition(this.listed, this.index, this.shared, this.openBytes);
    try {
      while (!twin.done) {
        const chunks = await twin.next(1);
        this.end ??= twin.end;
        this.about ??= twin.about;
        if (chunks.length === 0) break;
        const found = chunks.find(({ records }) => records > 0);
        for (const chunk of chunks) if (chunk !== found) chunk.release();
        if (found !== undefined) return found;
      }
      return undefined;
    } finally {
      await twin.close();
    }
  }

  /** Opens the file, steps over the byte order mark and the header, and goes to the position. */
  private async begin(): Promise<ByteStream> {
    if (this.stream !== undefined) return this.stream;
    const stream = await this.openBytes();
    this.stream = stream;
    this.end = stream.size;
    this.about = stream.about;
    this.at = 0;
    await this.readHead(stream);
    if (this.position > 0) await this.goOn(stream);
    return stream;
  }

  private async readHead(stream: ByteStream): Promise<void> {
    const mark = this.shared.window.take(3);
    const read = await stream.read(0, mark);
    const hasMark = read === 3 && mark[0] === 0xef && mark[1] === 0xbb && mark[2] === 0xbf;
    if (hasMark) {
      this.at = 3;
      this.before = checkOf(mark);
    } else stream.keep(mark.subarray(0, read));
    const { format } = this.shared.settings;
    if (format.kind === 'json') await this.lookForArray(stream, format.isArray);
    if (format.kind === 'csv') {
      const { columns, window } = this.shared;
      if (!format.header) this.dialect = { ...format.quoting, header: columns };
      else {
        const found = await headerOf(stream, this.at, window, { file: this.file, columns, quoting: format.quoting });
        this.dialect = { ...format.quoting, header: found.header };
        this.at = found.end;
        this.before = joinChecks(this.before, found.check);
      }
    }
  }

  private async lookForArray(stream: ByteStream, isArray: boolean): Promise<void> {
    const head = this.shared.window.take(LOOKED_AT);
    const read = await stream.read(this.at, head);
    this.array = isArray || beginsArray(head.subarray(0, read)) ? new ArrayCutter(this.file) : undefined;
    stream.keep(head.subarray(0, read));
  }

  /** To where an earlier run stopped, which is where a record ended: a line feed, or what was the end of the file. */
  private async goOn(stream: ByteStream): Promise<void> {
    const { position } = this;
    if (this.at > position) throw changedFile(this.file, position);
    if (this.at < position) {
      const at = await stream.skip(this.at, position - 1);
      const around = this.shared.window.take(2);
      const read = await stream.read(at, around);
      if (at + read < position) {
        passShorter(this.listed, at + read, 'byte', this.shared.context);
        this.finish();
        return;
      }
      const [before, after] = [around[0], read === 1 ? undefined : around[1]];
      const isEnd =
        this.array?.goOnAfter(before ?? 0) ?? (before === LF || after === undefined || after === LF || after === CR);
      if (!isEnd) throw changedFile(this.file, position);
      stream.keep(around.subarray(1, read));
    }
    this.at = position;
    this.before = NO_BYTES;
  }

  private cut(bytes: Buffer, last: boolean, most: number): Cut {
    if (this.array !== undefined) return this.array.cut(bytes, this.at, most);
    return this.dialect === undefined ? cutLines(bytes, last, most) : cutCsv(bytes, last, most, this.dialect);
  }

  /** Copies the records into scratch files, so that the window may be read over. */
  private async hand(cut: Cut, bytes: Buffer): Promise<readonly Chunk[]> {
    if (cut.end === 0 && this.at === this.position) return [];
    let done: { readonly records: number; readonly end: number } = { records: 0, end: 0 };
    const chunks: Promise<Chunk>[] = [];
    for (const stop of partitionCut(cut, this.shared.context.parallelism)) {
      const from = done.end === 0 ? this.position : this.at + done.end;
      const first = this.ordinal + done.records;
      const records = stop.records - done.records;
      const body = bytes.subarray(done.end, stop.end);
      const check = joinChecks(this.unclaimed(), stop.check);
      const range = { from, to: this.at + stop.end, first, next: first + records, records, check };
      chunks.push(this.chunk(range, body, this.at + done.end, []));
      done = stop;
    }
    return Promise.all(chunks);
  }

  /** The check of the bytes before `at` that were nobody's yet. */
  private unclaimed(): Check {
    const check = this.before;
    this.before = NO_BYTES;
    return check;
  }

  private async chunk(
    range: Stretch,
    bytes: Buffer,
    byteOffset: number,
    rejected: readonly RejectedRecord[],
  ): Promise<Chunk> {
    const file = this.shared.context.scratch.acquire();
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
      ordinal: range.next,
      check: range.check,
      body,
      rejected,
      release: () => file.release(),
    };
  }

  private async advance(cut: Pick<Cut, 'records' | 'end'>, finished: boolean): Promise<void> {
    this.at += cut.end;
    this.position = this.at;
    this.ordinal += cut.records;
    if (cut.records > 0) this.bytesPerRecord = cut.end / cut.records;
    if (!finished) return;
    this.finish();
    await this.close();
  }

  private finish(): void {
    this.done = true;
    this.end = this.position;
  }

  /** Nothing ends within the longest record allowed: skips to the next line, whatever stands before it. */
  private async rejectOverlong(stream: ByteStream, bytes: Buffer): Promise<Chunk> {
    const [from, start] = [this.position, this.at];
    const payload = Buffer.from(bytes.subarray(0, KEPT_OF_OVERLONG));
    const reason = `the record is longer than ${this.shared.longestRecord} bytes; its first ${payload.length} are kept`;
    let [window, feed, check] = [bytes, -1, this.unclaimed()];
    while (feed === -1 && window.length > 0) {
      feed = window.indexOf(LF);
      const length = feed === -1 ? window.length : feed + 1;
      check = extendCheck(check, window.subarray(0, length));
      this.at += length;
      if (feed !== -1) stream.keep(window.subarray(feed + 1));
      else window = window.subarray(0, await stream.read(this.at, window));
    }
    const first = this.ordinal++;
    const range = { from, to: this.at, first, next: this.ordinal, records: 0, check };
    const chunk = await this.chunk(range, Buffer.alloc(0), start, [{ offset: start, payload, reason }]);
    await this.advance({ records: 0, end: 0 }, stream.ended(this.at));
    return chunk;
  }
}

const clamp = (value: number, least: number, most: number): number => Math.ceil(Math.min(most, Math.max(least, value)));
