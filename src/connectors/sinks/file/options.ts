import type { SinkDeclaration } from '../../../base/connector.ts';
import { StreamsqlError } from '../../../base/errors.ts';
import { nearest, type OptionSpecs, type OptionValues } from '../../../base/options.ts';
import { sameName, type Column } from '../../../base/schema.ts';
import { COMPRESSIONS, PART_FORMATS, defaultCompression, type PartFormat } from './part-format.ts';
import type { Roll } from './rolled-parts.ts';

export const FILE_OPTIONS: OptionSpecs = {
  path: { type: 'string', required: true, doc: 'The folder, which is made where it is not there.' },
  format: {
    type: 'choice',
    values: PART_FORMATS,
    default: 'json',
    doc: 'json (one object a line), csv (with a header) or parquet.',
  },
  compression: {
    type: 'choice',
    values: COMPRESSIONS,
    tuning: true,
    doc: 'none, gzip or zstd for json and csv (none by default); snappy (the default), gzip, zstd or none for parquet.',
  },
  partition_by: {
    type: 'string',
    doc: "Columns, such as 'day, country', whose values name folders day=…/country=… as Hive does; they are not in the files.",
  },
  roll_size: {
    type: 'size',
    tuning: true,
    doc: 'Epochs are gathered until they make about this much, over all folders; by default each is a file of its own.',
  },
  roll_interval: {
    type: 'duration',
    tuning: true,
    doc: 'Epochs are gathered until the first of them was committed this long ago, by the clock on the wall.',
  },
  changelog: {
    type: 'boolean',
    default: false,
    doc: 'true: each row begins with op, + for one that comes and - for one that goes, so results that change can be written.',
  },
};

export function partFormat({ name, options, span }: SinkDeclaration): PartFormat {
  const kind = PART_FORMATS.find((known) => known === options['format']) ?? 'json';
  const compression = COMPRESSIONS.find((known) => known === options['compression']) ?? defaultCompression(kind);
  if (compression === 'snappy' && kind !== 'parquet')
    throw new StreamsqlError('OPTION', `sink ${name}: compression = 'snappy' is for parquet, not ${kind}`, {
      span,
      hint: 'it takes none, gzip or zstd',
    });
  return { kind, compression };
}

/** Rows that wait become a part by size, by age, or with neither as epochs come. */
export function rollOf({ roll_size: bytes, roll_interval: ms }: OptionValues): Roll | undefined {
  if (typeof bytes !== 'number' && typeof ms !== 'number') return undefined;
  return { bytes: typeof bytes === 'number' ? bytes : undefined, ms: typeof ms === 'number' ? ms : undefined };
}

/** The columns of partition_by, in its order. */
export function keyColumns({ name, columns, options, span }: SinkDeclaration): readonly Column[] {
  const text = options['partition_by'];
  if (typeof text !== 'string') return [];
  const refuse = (message: string, hint?: string): StreamsqlError =>
    new StreamsqlError('OPTION', `sink ${name}: ${message}`, { span, hint });
  const keys: Column[] = [];
  for (const word of names(text)) {
    const column = columns.find((candidate) => sameName(candidate.name, word));
    if (column === undefined) {
      const near = nearest(word, columns.map((candidate) => candidate.name)); // prettier-ignore
      throw refuse(
        `partition_by names ${word === '' ? 'no column' : word}, which is no column of the sink`,
        near === undefined ? `there are ${columns.map((one) => one.name).join(', ')}` : `did you mean ${near}?`,
      );
    }
    if (keys.includes(column)) throw refuse(`partition_by names ${column.name} twice`);
    if (/\]$|^(?:STRUCT|MAP|UNION|BLOB|VARIANT|GEOMETRY)\b/.test(column.type))
      throw refuse(`partition_by = '${column.name}' is a ${column.type}, which names no folder`, 'cast it to VARCHAR');
    keys.push(column);
  }
  if (keys.length === columns.length)
    throw refuse('partition_by names all columns, and nothing is left for the files', 'leave one out');
  return keys;
}

/** Names with commas between, those with odd characters in double quotes. */
const names = (text: string): readonly string[] =>
  text.split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/).map((word) => {
    const trimmed = word.trim();
    return /^".*"$/s.test(trimmed) ? trimmed.slice(1, -1).replaceAll('""', '"') : trimmed;
  });
