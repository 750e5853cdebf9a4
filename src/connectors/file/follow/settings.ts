import type { SourceContext, SourceDeclaration } from '../../../base/connector.ts';
import { openParquet } from '../parquet-reader.ts';
import { FilePartition, type Shared } from '../partition.ts';
import type { Content } from './followed-file.ts';
import type { FollowSettings } from './followed-files.ts';

export function followSettings(
  { columns, cwd, span }: SourceDeclaration,
  { intervalMs }: { readonly intervalMs: number },
  shared: Shared & { readonly context: SourceContext },
): FollowSettings {
  const { format, compression, patterns } = shared.settings;
  const isParquet = format.kind === 'parquet';
  return {
    patterns,
    cwd,
    span,
    heads: {
      lines: format.kind === 'csv' && format.header ? 2 : 1,
      areWhole: isParquet || compression === 'gzip',
      mayBeArray: format.kind === 'json',
      mayBeGzip: compression !== 'none',
    },
    intervalMs,
    async whole(listed, index): Promise<Content> {
      if (!isParquet) return FilePartition.at(listed, index, shared);
      const file = await openParquet(listed, index, columns, shared.context);
      return {
        get position() {
          return file.position;
        },
        get done() {
          return file.done;
        },
        end: file.end,
        next: (most, stop) => Promise.resolve(file.done && stop === Infinity ? [] : [file.next(most, stop)]),
        peek: () => Promise.resolve(file.peek()),
        close: () => Promise.resolve(),
      };
    },
    growing: (listed, index, open) => FilePartition.growing(listed, index, shared, open),
  };
}
