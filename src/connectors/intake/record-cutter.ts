import { INTAKE } from '../../base/intake.ts';
import { csvRecordEnds, withoutLineEnd } from '../../base/csv.ts';
import { StreamsqlError } from '../../base/errors.ts';
import { rejectedEntry, tooLong, type Entries } from './entries.ts';
import type { Layout } from './layout.ts';

const LF = 10;
const KEPT_OF_OVERLONG = 1 << 16;

/** Cuts the bytes of one stream, as they come, into the entries of a log. */
export class RecordCutter {
  private readonly layout: Layout;
  private readonly most: number;
  /** What has no end yet. */
  private rest: Buffer = Buffer.alloc(0);
  /** Of a record that is too long already: its beginning; the rest is passed over. */
  private overlong: Buffer | undefined;
  private begun = false;

  /** `most`: a longer record is rejected, bytes. */
  constructor(layout: Layout, most: number) {
    this.layout = layout;
    this.most = most;
  }

  /** The first record of a stream by itself, without its line end: a header. Undefined as long as it has no end. */
  header(bytes: Buffer): string | undefined {
    this.join(bytes);
    for (let at = 0; ;) {
      const [end] = this.ends(this.rest.subarray(at));
      if (end === undefined) {
        if (this.rest.length <= this.most) return undefined;
        throw new StreamsqlError('SOURCE', `the header is longer than ${this.most} bytes (max_record)`);
      }
      const text = this.rest.toString('utf8', at, withoutLineEnd(this.rest, at, at + end));
      at += end;
      if (text === '') continue;
      this.rest = this.rest.subarray(at);
      return text;
    }
  }

  push(bytes: Buffer): Entries {
    const found = new Collected();
    let from = bytes;
    if (this.overlong !== undefined) {
      const feed = from.indexOf(LF);
      if (feed === -1) return found;
      this.rejectLong(found, this.overlong);
      this.overlong = undefined;
      from = from.subarray(feed + 1);
    }
    // Only the record that began before is copied, and not all that came after it.
    const feed = this.rest.length === 0 || this.layout.kind === 'csv' ? -1 : from.indexOf(LF);
    if (feed !== -1) {
      this.cut(from.subarray(0, feed + 1), found);
      from = from.subarray(feed + 1);
    }
    this.cut(from, found);
    if (this.rest.length > this.most) {
      this.overlong = Buffer.from(this.rest.subarray(0, KEPT_OF_OVERLONG));
      this.rest = Buffer.alloc(0);
    }
    return found;
  }

  /** The stream is over. What has no line end is a record, or, if it was `cut`, rejected for that reason. */
  end(cut?: string): Entries {
    const found = new Collected();
    const { rest, overlong } = this;
    this.rest = Buffer.alloc(0);
    this.overlong = undefined;
    if (overlong !== undefined) this.rejectLong(found, overlong);
    if (rest.length === 0 || this.isBlank(rest, 0, rest.length)) return found;
    if (cut !== undefined) found.reject(cut, rest);
    else {
      this.rest = Buffer.concat([rest, Buffer.from([LF])]);
      const [end] = this.ends(this.rest);
      if (end === this.rest.length) this.add(0, end, found);
      else found.reject('a quote is not closed', rest);
      found.flush(this.rest);
      this.rest = Buffer.alloc(0);
    }
    return found;
  }

  private cut(bytes: Buffer, found: Collected): void {
    this.join(bytes);
    let start = 0;
    for (const end of this.ends(this.rest)) {
      this.add(start, end, found);
      start = end;
    }
    found.flush(this.rest);
    this.rest = this.rest.subarray(start);
  }

  private join(bytes: Buffer): void {
    this.rest = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]);
    if (this.begun || this.rest.length < 3) return;
    this.begun = true;
    if (this.rest[0] === 0xef && this.rest[1] === 0xbb && this.rest[2] === 0xbf) this.rest = this.rest.subarray(3);
  }

  private ends(bytes: Buffer): Iterable<number> {
    return this.layout.kind === 'csv' ? csvRecordEnds(bytes, this.layout.quoting) : lineEnds(bytes);
  }

  private add(start: number, end: number, found: Collected): void {
    const { rest } = this;
    if (this.isBlank(rest, start, end)) {
      found.skip(rest, end);
      return;
    }
    const record = rest.subarray(start, withoutLineEnd(rest, start, end));
    if (record.length > this.most) this.rejectLong(found.skip(rest, end), record);
    else if (rest[start] === INTAKE.mark) found.skip(rest, end).reject('it begins with a NUL byte', record);
    else found.take(rest, start, end);
  }

  private rejectLong(found: Collected, record: Buffer): void {
    found.reject(tooLong(this.most), record.subarray(0, this.most));
  }

  private isBlank(bytes: Buffer, start: number, end: number): boolean {
    const last = withoutLineEnd(bytes, start, end);
    switch (this.layout.kind) {
      case 'raw':
        return false;
      case 'csv':
        return last === start;
      case 'json':
        return !bytes.subarray(start, last).some((byte) => byte !== 32 && (byte < 9 || byte > 13));
    }
  }
}

/** Entries, in which records that adjoin are one piece. */
class Collected implements Entries {
  readonly bytes: Uint8Array[] = [];
  records = 0;
  private from = 0;
  private to = 0;

  take(of: Buffer, start: number, end: number): void {
    if (start !== this.to) this.flush(of);
    if (this.from === this.to) this.from = start;
    this.to = end;
    this.records++;
  }

  /** What ends at `end` is none of it. */
  skip(of: Buffer, end: number): this {
    this.flush(of);
    this.from = this.to = end;
    return this;
  }

  reject(reason: string, payload: Buffer): void {
    this.bytes.push(rejectedEntry(reason, payload));
    this.records++;
  }

  flush(of: Buffer): void {
    if (this.to > this.from) this.bytes.push(of.subarray(this.from, this.to));
    this.from = this.to;
  }
}

function* lineEnds(bytes: Buffer): Generator<number> {
  for (let at = bytes.indexOf(LF); at !== -1; at = bytes.indexOf(LF, at + 1)) yield at + 1;
}
