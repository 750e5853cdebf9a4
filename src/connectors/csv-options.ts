import type { CsvDialect } from '../base/connector.ts';
import type { StreamsqlError } from '../base/errors.ts';
import type { OptionSpecs, OptionValues } from '../base/options.ts';

/** How fields of CSV are told apart, in files and in records. */
export const QUOTING_OPTIONS = {
  delimiter: { type: 'string', doc: "csv: what stands between two fields; ',' (a tab, '\\t', in files .tsv)" },
  quote: { type: 'string', doc: `csv: what a field may stand in; '"' (empty for none)` },
  escape: { type: 'string', doc: 'csv: what stands before a quote inside a quoted field; the quote itself' },
  null: { type: 'string', doc: 'csv: the unquoted text that is NULL, besides an empty field' },
} as const satisfies OptionSpecs;

export const QUOTING_NAMES = ['delimiter', 'quote', 'escape', 'null'] as const;

/** What the options say; `usual` is the delimiter where they do not. */
export function quotingOf(
  options: OptionValues,
  usual: string,
  fail: (message: string, hint: string) => StreamsqlError,
): Omit<CsvDialect, 'header'> {
  const delimiter = (text(options, 'delimiter') ?? usual).replaceAll('\\t', '\t');
  const quote = text(options, 'quote') ?? '"';
  const escape = text(options, 'escape') ?? quote;
  const nullText = text(options, 'null') ?? '';
  if (!/^[^\r\n"]{1,4}$/.test(delimiter) || delimiter.includes(quote || '\n'))
    throw fail(
      `delimiter takes one to four characters other than the quote, not '${delimiter}'`,
      QUOTING_OPTIONS.delimiter.doc,
    );
  for (const [name, value] of Object.entries({ quote, escape }))
    if (!/^[\x21-\x7e]?$/.test(value))
      throw fail(
        `${name} takes one ASCII character, not '${value}'`,
        QUOTING_OPTIONS[name === 'quote' ? 'quote' : 'escape'].doc,
      );
  if ([delimiter, quote, escape, '\n', '\r'].some((part) => part !== '' && nullText.includes(part)))
    throw fail(`null must not contain the delimiter, the quote or the escape: '${nullText}'`, QUOTING_OPTIONS.null.doc);
  return { delimiter, quote, escape, nullText };
}

function text(options: OptionValues, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}
