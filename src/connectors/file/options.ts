import { changeFormat, CHANGE_FORMATS, CHANGE_FORMATS_DOC } from '../../base/change-format.ts';
import type { ChangeFormat, CsvDialect, SourceDeclaration } from '../../base/connector.ts';
import { StreamsqlError } from '../../base/errors.ts';
import type { OptionSpecs, OptionValues } from '../../base/options.ts';
import { QUOTING_NAMES, QUOTING_OPTIONS, quotingOf } from '../csv-options.ts';

export const FILE_OPTIONS = {
  path: {
    type: 'string',
    required: true,
    doc: 'the files: a path, a glob with * ? and **, or several of them with commas between',
  },
  format: {
    type: 'choice',
    values: ['json', 'json_array', 'csv', 'parquet', ...CHANGE_FORMATS],
    doc: `json (one object a line, or a file that is one array of them, told by its first character), json_array (such an array, or an error), csv or parquet; by default what the extension says; ${CHANGE_FORMATS_DOC}, one a line`,
  },
  compression: {
    type: 'choice',
    values: ['auto', 'none', 'gzip'],
    doc: 'of all but parquet; auto (the default) looks at the first bytes of each file',
  },
  follow: {
    type: 'boolean',
    doc: 'the input has no end: what is added to the files, and files that turn up, are read as they come; false',
  },
  follow_interval: {
    type: 'duration',
    default: 1000,
    tuning: true,
    doc: 'how often follow looks for what the file system does not tell of by itself',
  },
  strict: {
    type: 'boolean',
    default: false,
    doc: 'a record that does not decode stops the run instead of going to the dead letters',
  },
  header: { type: 'boolean', doc: 'csv: whether the first record of each file names the columns; true' },
  ...QUOTING_OPTIONS,
} as const satisfies OptionSpecs;

export type Compression = 'auto' | 'none' | 'gzip';

/** What a WITH clause says, checked. */
export interface FileSettings {
  readonly patterns: string;
  readonly compression: Compression;
  readonly strict: boolean;
  /** Set where files are followed. */
  readonly follow: { readonly intervalMs: number } | undefined;
  readonly changes: ChangeFormat | undefined;
  readonly format:
    | { readonly kind: 'parquet' }
    /** `isArray`: each file has to be one. */
    | { readonly kind: 'json'; readonly isArray: boolean }
    | { readonly kind: 'csv'; readonly header: boolean; readonly quoting: Omit<CsvDialect, 'header'> };
}

const CSV_ONLY = ['header', ...QUOTING_NAMES] as const;
const EXTENSIONS: Readonly<Record<string, 'json' | 'csv' | 'parquet'>> = {
  json: 'json',
  jsonl: 'json',
  ndjson: 'json',
  csv: 'csv',
  tsv: 'csv',
  parquet: 'parquet',
  pq: 'parquet',
};

export function fileSettings({ options, span }: Pick<SourceDeclaration, 'options' | 'span'>): FileSettings {
  const fail = (message: string, hint: string): StreamsqlError => new StreamsqlError('OPTION', message, { span, hint });
  const patterns = text(options, 'path') ?? '';
  if (patterns.trim() === '') throw fail('path is empty', FILE_OPTIONS.path.doc);
  const extension = extensionOf(patterns);
  const changes = changeFormat(options['format']);
  const kind =
    (changes === undefined ? formatOf(text(options, 'format')) : 'json') ??
    (extension === undefined ? undefined : EXTENSIONS[extension]);
  if (kind === undefined)
    throw fail(
      `the format of '${patterns}' cannot be told from its extension`,
      "add format = 'json', 'csv' or 'parquet'",
    );
  const stray = CSV_ONLY.find((name) => kind !== 'csv' && options[name] !== undefined);
  if (stray !== undefined)
    throw fail(`the option ${stray} is for format = 'csv' only, not ${kind}`, `leave ${stray} out`);
  if (kind === 'parquet' && options['compression'] !== undefined)
    throw fail('the option compression is for json and csv: Parquet says itself how it is compressed', 'leave it out');
  return {
    patterns,
    compression: compressionOf(text(options, 'compression')),
    strict: options['strict'] === true,
    follow:
      options['follow'] === true ? { intervalMs: Math.max(10, Number(options['follow_interval'] ?? 1000)) } : undefined,
    changes: changes === undefined ? undefined : { format: changes, keyed: false },
    format:
      kind === 'csv'
        ? {
            kind,
            header: options['header'] !== false,
            quoting: quotingOf(options, extension === 'tsv' ? '\t' : ',', fail),
          }
        : kind === 'json'
          ? { kind, isArray: options['format'] === 'json_array' }
          : { kind },
  };
}

/** The extension that all the patterns share, without `.gz`. */
function extensionOf(patterns: string): string | undefined {
  const found = new Set(patterns.split(',').map((one) => /\.(\w+)(?:\.gz)?$/i.exec(one.trim())?.[1]?.toLowerCase()));
  const kinds = new Set([...found].map((extension) => EXTENSIONS[extension ?? '']));
  return kinds.size === 1 ? [...found][0] : undefined;
}

const formatOf = (name: string | undefined): 'json' | 'csv' | 'parquet' | undefined =>
  name === undefined ? undefined : name === 'json_array' ? 'json' : EXTENSIONS[name];

const compressionOf = (name: string | undefined): Compression => (name === 'none' || name === 'gzip' ? name : 'auto');

function text(options: OptionValues, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}
