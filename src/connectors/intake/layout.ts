import { changeFormat, CHANGE_FORMATS, CHANGE_FORMATS_DOC } from '../../base/change-format.ts';
import type { ChangeFormat, CsvDialect, SourceDeclaration } from '../../base/connector.ts';
import { csvFields } from '../../base/csv.ts';
import { StreamsqlError } from '../../base/errors.ts';
import type { OptionSpecs } from '../../base/options.ts';
import { sameName } from '../../base/schema.ts';
import { FILE_OPTIONS, fileSettings } from '../file/options.ts';

/** How the records of a log are read. */
export type Layout =
  | { readonly kind: 'json' }
  /** Each line is the text of one column. */
  | { readonly kind: 'raw'; readonly column: string }
  /** `header`: each stream begins with one. */
  | {
      readonly kind: 'csv';
      readonly quoting: Omit<CsvDialect, 'header'>;
      readonly columns: readonly string[];
      readonly header: boolean;
    };

const { delimiter, quote, escape, null: nullText } = FILE_OPTIONS;

/** Of sources of lines. */
export const LINE_OPTIONS = {
  format: {
    type: 'choice',
    values: ['json', 'csv', 'raw', ...CHANGE_FORMATS],
    default: 'json',
    doc: `json: each line is one JSON object; csv; raw: each line is the text of the only column, a VARCHAR; ${CHANGE_FORMATS_DOC}, one a line`,
  },
  delimiter,
  quote,
  escape,
  null: nullText,
  max_record: { type: 'size', default: 1 << 20, doc: 'a record that is longer is a dead letter' },
} as const satisfies OptionSpecs;

/** Of all sources whose records are logged. */
export const LOG_OPTIONS = {
  strict: { tuning: true, type: 'boolean', default: false, doc: 'a record that does not decode stops the run' },
  max_pending: {
    tuning: true,
    type: 'size',
    default: 64 << 20,
    doc: 'how much may wait in the log for the engine before no more is taken in',
  },
} as const satisfies OptionSpecs;

export function changesOf({ options }: Pick<SourceDeclaration, 'options'>): ChangeFormat | undefined {
  const format = changeFormat(options['format']);
  return format === undefined ? undefined : { format, keyed: false };
}

/** `takesHeader`: the source has the option `header`. */
export function layoutOf({ name, columns, options, span }: SourceDeclaration, takesHeader: boolean): Layout {
  const [only, ...others] = columns;
  const refuse = (message: string, hint: string): StreamsqlError =>
    new StreamsqlError('OPTION', message, { span, hint });
  if (only === undefined) throw new StreamsqlError('BIND', `the source ${name} declares no columns`, { span, hint: 'declare what it reads, such as (line VARCHAR)' }); // prettier-ignore
  const isCsv = options['format'] === 'csv';
  const stray = CSV_ONLY.find((option) => !isCsv && options[option] !== undefined);
  if (stray !== undefined) throw refuse(`the option ${stray} is for format = 'csv' only`, `leave ${stray} out`);
  if (isCsv) {
    const settings = fileSettings({ options: { ...options, path: 'lines.csv', format: 'csv' }, span });
    const { quoting } = settings.format as { readonly quoting: Omit<CsvDialect, 'header'> };
    const names = columns.map((column) => column.name);
    return { kind: 'csv', quoting, columns: names, header: takesHeader && options['header'] !== false };
  }
  if (options['format'] !== 'raw') return { kind: 'json' };
  if (others.length === 0 && only.type.toUpperCase() === 'VARCHAR') return { kind: 'raw', column: only.name };
  throw refuse("format = 'raw' takes one column, a VARCHAR", 'for example: CREATE SOURCE lines (line VARCHAR)');
}

const CSV_ONLY = ['header', 'delimiter', 'quote', 'escape', 'null'] as const;

/** The dialect of a log whose streams begin with a header, or do not. Throws SOURCE where the header does not fit. */
export function dialectOf(layout: Layout & { readonly kind: 'csv' }, header: string | undefined): CsvDialect {
  const { quoting, columns } = layout;
  if (header === undefined) return { ...quoting, header: columns };
  const names = csvFields(header, quoting)?.map(({ text }) => text);
  if (names === undefined)
    throw new StreamsqlError('SOURCE', 'the first line is no header of CSV', { hint: 'where there is none, say header = false' }); // prettier-ignore
  const places = new Map<number, string>();
  for (const column of columns) {
    const exact = names.indexOf(column);
    const place = exact === -1 ? names.findIndex((name) => sameName(name, column)) : exact;
    if (place === -1)
      throw new StreamsqlError('SOURCE', `the header has no column ${column}: ${names.join(', ')}`, {
        hint: 'the first line names the columns; where there is no such line, say header = false',
      });
    places.set(place, column);
  }
  return { ...quoting, header: names.map((_, place) => places.get(place)) };
}
