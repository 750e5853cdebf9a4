import { isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import type { Chunk, ScratchPool } from '../../base/connector.ts';
import { csvFields, csvRecordEnds, withoutLineEnd, type CsvField } from '../../base/csv.ts';
import { ByteRecords } from './records-bytes.ts';
import type { Records } from './records.ts';
import type { Batch } from './read.ts';

/** Opens a chunk of CSV for examination: records that do not split into the header's fields are out from the start. */
export async function csvRecords(
  chunk: Chunk,
  body: Chunk['body'] & { kind: 'csv' },
  scratch: ScratchPool,
): Promise<Records> {
  const bytes = await readFile(body.path);
  const records = new ByteRecords(chunk, body.byteOffset, bytes, recordsOf(bytes, body.dialect));
  const wanted = body.dialect.header.length;
  for (let i = 0; i < records.count; i++) {
    if (!isUtf8(records.slice(i))) {
      records.reject(i, 'malformed CSV: invalid UTF-8');
      continue;
    }
    const fields = csvFields(records.text(i), body.dialect);
    if (fields === undefined) records.reject(i, 'malformed CSV: a quoted field does not end as it should');
    else if (!fits(fields, wanted, body.dialect.nullText))
      records.reject(i, `${countOf(fields.length)} where ${wanted} ${wanted === 1 ? 'is' : 'are'} expected`);
    else records.rewritten.set(i, canonical(fields.slice(0, wanted), body.dialect.nullText));
  }
  return new CsvRecords(records, body.dialect, scratch);
}

const countOf = (fields: number): string => `${fields} ${fields === 1 ? 'field' : 'fields'}`;

/** DuckDB lets NULLs too many pass at the end of a record, such as behind a trailing delimiter. */
const fits = (fields: readonly CsvField[], wanted: number, nullText: string): boolean =>
  fields.length >= wanted && fields.slice(wanted).every((field) => isNull(field, nullText));

const isNull = (field: CsvField, nullText: string): boolean =>
  !field.quoted && (field.text === '' || field.text === nullText);

/** Fields in quotes, NULL as nothing at all; a lone NULL would make a blank line, so every record begins with a field more. */
function canonical(fields: readonly CsvField[], nullText: string): Buffer {
  const written = fields.map((field) => (isNull(field, nullText) ? '' : `"${field.text.replaceAll('"', '""')}"`));
  return Buffer.from(['"r"', ...written].join(','));
}

export function recordsOf(
  bytes: Buffer,
  quoting: Parameters<typeof csvRecordEnds>[1],
): { starts: number[]; ends: number[] } {
  const starts: number[] = [];
  const ends: number[] = [];
  let at = 0;
  const add = (next: number): void => {
    const end = withoutLineEnd(bytes, at, next);
    if (end > at) {
      starts.push(at);
      ends.push(end);
    }
    at = next;
  };
  for (const next of csvRecordEnds(bytes, quoting)) add(next);
  if (at < bytes.length) add(bytes.length);
  return { starts, ends };
}

class CsvRecords implements Records {
  private readonly records: ByteRecords;
  private readonly dialect: (Chunk['body'] & { kind: 'csv' })['dialect'];
  private readonly scratch: ScratchPool;

  constructor(records: ByteRecords, dialect: CsvRecords['dialect'], scratch: ScratchPool) {
    this.records = records;
    this.dialect = { ...dialect, header: [undefined, ...dialect.header] };
    this.scratch = scratch;
  }

  get rejected(): ReadonlyMap<number, string> {
    return this.records.rejected;
  }

  reject(ordinal: number, reason: string): void {
    this.records.reject(ordinal, reason);
  }

  examine(): boolean {
    return false;
  }

  keepDigits(): void {
    // A field of CSV is text: no digit is lost.
  }

  async batch(): Promise<Batch | undefined> {
    if (this.records.rejected.size === this.records.count) return undefined;
    const path = await this.records.write(this.scratch);
    // Quotes may double and every field may gain two.
    const longest = 2 * this.records.longest() + 3 * this.dialect.header.length;
    return { kind: 'csv', paths: [path], longest, dialect: this.dialect, canonical: true };
  }

  describe(ordinals: readonly number[]): ReturnType<Records['describe']> {
    return this.records.describe(ordinals);
  }
}
