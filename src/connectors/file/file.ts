import type { SourceConnector, SourceDeclaration, SourcePlan } from '../../base/connector.ts';
import { StreamsqlError } from '../../base/errors.ts';
import { bytesReader } from './bytes-reader.ts';
import { findFiles } from './glob.ts';
import { knownPaths, listFiles, type ListedFile } from './listed-files.ts';
import { FILE_METADATA } from './metadata.ts';
import { FILE_OPTIONS, fileSettings } from './options.ts';
import { parquetReader } from './parquet-reader.ts';
import { Window } from './partition.ts';

/** A JSON or CSV record that is longer is a dead letter. */
const LONGEST_RECORD = 1 << 28;

/** Files that are there when the run begins: JSON lines, CSV, Parquet. Each is a partition, and the input ends. */
export const fileSource: SourceConnector = {
  name: 'file',
  doc: 'files of JSON lines, CSV or Parquet, read once from start to end',
  options: FILE_OPTIONS,
  metadata: FILE_METADATA,
  plan: (declaration) => planFile(declaration, LONGEST_RECORD),
};

export function planFile(declaration: SourceDeclaration, longestRecord: number): SourcePlan {
  const { columns, span, cwd } = declaration;
  if (columns.length === 0)
    throw new StreamsqlError('BIND', `the source ${declaration.name} declares no columns`, {
      span,
      hint: 'a file source reads the columns that are declared, such as (id BIGINT, at TIMESTAMP)',
    });
  const settings = fileSettings(declaration);
  return {
    columns,
    changes: settings.changes,
    bounded: true,
    strict: settings.strict,
    ...(settings.format.kind === 'parquet' && {
      nothingToRetain: 'the records of Parquet files are Parquet already: keep the files',
    }),
    open(context) {
      const list = async (): Promise<readonly ListedFile[]> =>
        listFiles(await findFiles(settings.patterns, cwd, span, knownPaths(context, cwd)), context, cwd);
      if (settings.format.kind === 'parquet') return parquetReader(list, columns, context);
      const names = columns.map(({ name }) => name);
      return bytesReader(list, { settings, columns: names, context, window: new Window(), longestRecord });
    },
  };
}
