import type { SourceConnector, SourceDeclaration, SourcePlan } from '../../base/connector.ts';
import { StreamsqlError } from '../../base/errors.ts';
import { bytesReader } from './bytes-reader.ts';
import { followReader } from './follow/follow-reader.ts';
import { followSettings } from './follow/settings.ts';
import { findFiles } from './glob.ts';
import { knownPaths, listFiles, type ListedFile } from './listed-files.ts';
import { FILE_METADATA } from './metadata.ts';
import { FILE_OPTIONS, fileSettings } from './options.ts';
import { parquetReader } from './parquet-reader.ts';
import { Window } from './partition.ts';

/** A JSON or CSV record that is longer is a dead letter. */
const LONGEST_RECORD = 1 << 28;

/** Files of JSON lines, CSV, Parquet. Each is a partition. The input ends with what is there when the run begins, unless they are followed. */
export const fileSource: SourceConnector = {
  name: 'file',
  doc: 'files of JSON lines, CSV or Parquet, read once from start to end, or followed',
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
    bounded: settings.follow === undefined,
    strict: settings.strict,
    ...(settings.format.kind === 'parquet' && {
      nothingToRetain: 'the records of Parquet files are Parquet already: keep the files',
    }),
    open(context) {
      const list = async (): Promise<readonly ListedFile[]> =>
        listFiles(await findFiles(settings.patterns, cwd, span, knownPaths(context, cwd)), context, cwd);
      const names = columns.map(({ name }) => name);
      const shared = { settings, columns: names, context, window: new Window(), longestRecord };
      if (settings.follow !== undefined)
        return followReader(followSettings(declaration, settings.follow, shared), context);
      return settings.format.kind === 'parquet' ? parquetReader(list, columns, context) : bytesReader(list, shared);
    },
  };
}
