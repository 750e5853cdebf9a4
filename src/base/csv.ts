/**
 * The quoting of CSV as DuckDB's strict mode has it, over bytes and over text: a quote opens a field only where the
 * field begins (spaces may stand before it, and after the closing one); elsewhere it is a character like any other.
 */
export interface CsvQuoting {
  readonly delimiter: string;
  readonly quote: string;
  readonly escape: string;
}

const LF = 10;
const CR = 13;
const SPACE = 32;

/**
 * Where each record of `bytes` ends, given as the index after its line feed, in order. What is left over has no end
 * yet. Blank lines come as ends too. Steps from quote to quote and line feed to line feed, so plain lines cost little.
 */
export function* csvRecordEnds(bytes: Buffer, quoting: CsvQuoting): Generator<number> {
  const scanner = new QuoteScanner(bytes, quoting);
  for (let start = 0; start < bytes.length;) {
    const end = scanner.recordEnd(start);
    if (end === undefined) return;
    yield end;
    start = end;
  }
}

class QuoteScanner {
  private readonly bytes: Buffer;
  private readonly delimiter: Buffer;
  private readonly quote: number | undefined;
  private readonly escape: number | undefined;
  /** The first quote at or after the last place that was asked for. */
  private nextQuote = -2;

  constructor(bytes: Buffer, quoting: CsvQuoting) {
    this.bytes = bytes;
    this.delimiter = Buffer.from(quoting.delimiter);
    this.quote = quoting.quote === '' ? undefined : quoting.quote.charCodeAt(0);
    this.escape = quoting.escape === '' ? this.quote : quoting.escape.charCodeAt(0);
  }

  recordEnd(start: number): number | undefined {
    for (let at = start; ;) {
      const feed = this.bytes.indexOf(LF, at);
      const quote = this.quoteFrom(at);
      if (quote === -1 || (feed !== -1 && feed < quote)) return feed === -1 ? undefined : feed + 1;
      if (!this.opens(quote, start)) {
        at = quote + 1;
        continue;
      }
      const close = this.closing(quote + 1);
      if (close === undefined) return undefined;
      at = close + 1;
    }
  }

  private quoteFrom(at: number): number {
    if (this.quote === undefined) return -1;
    if (this.nextQuote === -1 || this.nextQuote >= at) return this.nextQuote;
    this.nextQuote = this.bytes.indexOf(this.quote, at);
    return this.nextQuote;
  }

  private opens(quote: number, start: number): boolean {
    let field = quote;
    while (field > start && this.bytes[field - 1] === SPACE) field--;
    if (field === start) return true;
    const before = field - this.delimiter.length;
    return before >= start && this.bytes.compare(this.delimiter, 0, this.delimiter.length, before, field) === 0;
  }

  /** The quote that closes the field whose text begins at `at`. */
  private closing(at: number): number | undefined {
    for (let i = at; i < this.bytes.length; i++) {
      if (this.escape === this.quote) {
        i = this.bytes.indexOf(this.quote ?? 0, i);
        if (i === -1) return undefined;
        if (this.bytes[i + 1] !== this.quote) return i;
        i++;
      } else if (this.bytes[i] === this.escape) i++;
      else if (this.bytes[i] === this.quote) return i;
    }
    return undefined;
  }
}

/** One field: its text, and whether it stood in quotes (a quoted field is never NULL). */
export interface CsvField {
  readonly text: string;
  readonly quoted: boolean;
}

/** The fields of one record (without its line end); undefined where the quoting is broken. */
export function csvFields(record: string, quoting: CsvQuoting): readonly CsvField[] | undefined {
  const { delimiter, quote } = quoting;
  const escape = quoting.escape === '' ? quote : quoting.escape;
  const fields: CsvField[] = [];
  for (let at = 0; ;) {
    const begin = skipSpaces(record, at);
    if (quote !== '' && record[begin] === quote) {
      let text = '';
      for (at = begin + 1; ; at++) {
        if (at >= record.length) return undefined;
        if (record[at] === escape && (record[at + 1] === quote || record[at + 1] === escape)) text += record[++at];
        else if (record[at] === quote) break;
        else text += record[at];
      }
      at = skipSpaces(record, at + 1);
      fields.push({ text, quoted: true });
    } else {
      const end = record.indexOf(delimiter, at);
      const text = record.slice(at, end === -1 ? record.length : end);
      fields.push({ text, quoted: false });
      at += text.length;
    }
    if (at === record.length) return fields;
    if (!record.startsWith(delimiter, at)) return undefined;
    at += delimiter.length;
  }
}

function skipSpaces(text: string, from: number): number {
  let at = from;
  while (text[at] === ' ') at++;
  return at;
}

/** Where the record that ends (exclusive) at `end` ends without its line end. */
export function withoutLineEnd(bytes: Uint8Array, start: number, end: number): number {
  let last = end;
  if (last > start && bytes[last - 1] === LF) last--;
  if (last > start && bytes[last - 1] === CR) last--;
  return last;
}
