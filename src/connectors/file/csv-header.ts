import type { Check } from '../../base/crc32.ts';
import { csvFields, withoutLineEnd, type CsvQuoting } from '../../base/csv.ts';
import { StreamsqlError } from '../../base/errors.ts';
import { sameName } from '../../base/schema.ts';
import type { ByteStream } from './byte-stream.ts';
import { cutCsv } from './cut.ts';
import type { FoundFile } from './glob.ts';
import { missingColumn } from './missing-column.ts';
import type { Window } from './partition.ts';

const FIRST_READ = 1 << 16;
const MOST_READ = 1 << 24;

/**
 * Reads the header: the declared column for each column of the file (undefined where none is), and where the header
 * ends, and the check of its bytes. Throws SOURCE where a declared column is missing. An empty file has no header and needs none.
 */
export async function headerOf(
  stream: ByteStream,
  at: number,
  window: Window,
  csv: { readonly file: FoundFile; readonly columns: readonly string[]; readonly quoting: CsvQuoting },
): Promise<{ readonly header: readonly (string | undefined)[]; readonly end: number; readonly check: Check }> {
  for (let size = FIRST_READ; ; size *= 2) {
    const buffer = window.take(size);
    const bytes = buffer.subarray(0, await stream.read(at, buffer));
    const last = bytes.length < size;
    const { records, end, rest } = cutCsv(bytes, last, 1, csv.quoting);
    if (records === 0 && !last && size < MOST_READ) {
      stream.keep(bytes);
      continue;
    }
    const fields = csvFields(headerText(bytes, end), csv.quoting);
    if (fields === undefined || (records === 0 && !last))
      throw new StreamsqlError('SOURCE', `${csv.file.name} has no readable header`, {
        hint: 'where the file has none, say header = false',
      });
    const names = records === 0 ? csv.columns : fields.map(({ text }) => text);
    const header = match(names, csv);
    stream.keep(bytes.subarray(end));
    return { header, end: at + end, check: rest };
  }
}

/** The one record before `end`, with blank lines before it left out. */
function headerText(bytes: Buffer, end: number): string {
  return bytes.toString('utf8', 0, withoutLineEnd(bytes, 0, end)).replace(/^(?:\r?\n)+/, '');
}

function match(
  names: readonly string[],
  csv: { readonly file: FoundFile; readonly columns: readonly string[] },
): readonly (string | undefined)[] {
  const places = new Map<number, string>();
  for (const column of csv.columns) {
    const exact = names.indexOf(column);
    const place = exact === -1 ? names.findIndex((name) => sameName(name, column)) : exact;
    if (place === -1) throw missingColumn(csv.file, column, names);
    places.set(place, column);
  }
  return names.map((_, place) => places.get(place));
}
