import type { Chunk, PartitionState, PollRequest, SourceContext, SourceReader } from '../../base/connector.ts';
import { StreamsqlError } from '../../base/errors.ts';
import { sameName, type Column } from '../../base/schema.ts';
import { ident, join, sql, type Sql } from '../../base/sql.ts';
import type { FoundFile } from './glob.ts';
import { isFinished, passGone, passShorter, shorterFile, type ListedFile } from './listed-files.ts';
import { missingColumn } from './missing-column.ts';

/** A Parquet file as a partition: positions are rows, read by row groups where they are of the size that is wanted. */
export class ParquetPartition implements PartitionState {
  readonly name: string;
  readonly end: number;
  position: number;
  private readonly file: FoundFile;
  private readonly index: number;
  private readonly given: readonly Column[];
  /** The rows at which row groups end, ascending. */
  private readonly groupEnds: readonly number[];

  constructor(
    { file, position }: Pick<ListedFile, 'file' | 'position'>,
    index: number,
    given: readonly Column[],
    groupEnds: readonly number[],
  ) {
    this.name = file.name;
    this.file = file;
    this.index = index;
    this.position = position;
    this.given = given;
    this.groupEnds = groupEnds;
    this.end = Math.max(groupEnds.at(-1) ?? 0, position);
  }

  get done(): boolean {
    return this.position >= this.end;
  }

  /** About so many rows, none from `stop` on. */
  next(most: number, stop: number): Chunk {
    if (stop !== Infinity && stop > this.end) throw shorterFile(this.file, this.end, stop, 'row');
    const chunk = this.rows(this.position, Math.min(stop, this.stop(most)));
    this.position = chunk.to;
    return chunk;
  }

  peek(): Chunk | undefined {
    return this.position > 0 || this.done ? undefined : this.rows(0, 1);
  }

  private rows(from: number, to: number): Chunk {
    const columns = join(this.given.map(({ name }) => ident(name)));
    return {
      partition: this.index,
      from,
      to,
      records: to - from,
      runs: [{ first: from, count: to - from }],
      body: {
        kind: 'query',
        sql: sql`SELECT ${columns} FROM ${readParquet(this.file)} WHERE file_row_number BETWEEN ${from} AND ${to - 1}`,
        given: this.given,
      },
      rejected: [],
      release: () => {},
    };
  }

  /** The last end of a row group that is near enough, so that no group is read twice; else just so many rows. */
  private stop(most: number): number {
    const wanted = this.position + Math.max(1, most);
    const near = this.groupEnds.findLast((end) => end <= wanted + most / 4);
    return near !== undefined && near > this.position + most / 2 ? near : Math.min(wanted, this.end);
  }
}

/** Reads Parquet files. `list` names them, at `open`; what they hold, DuckDB is asked. */
export function parquetReader(
  list: () => Promise<readonly ListedFile[]>,
  columns: readonly Column[],
  context: SourceContext,
): SourceReader {
  const partitions: ParquetPartition[] = [];
  return {
    partitions: partitions satisfies readonly PartitionState[],
    async open(): Promise<void> {
      for (const [index, listed] of (await list()).entries()) {
        partitions.push(await openParquet(listed, index, columns, context));
      }
    },
    poll({ partitions: allowed, maxRecords, upTo }: PollRequest): Promise<readonly Chunk[]> {
      const chunks: Chunk[] = [];
      let left = maxRecords;
      for (const [index, each] of partitions.entries()) {
        if (left <= 0) break;
        const stop = upTo === undefined ? Infinity : (upTo.get(index) ?? 0);
        if (each.position >= stop || (allowed !== 'all' && !allowed.has(index))) continue;
        if (each.done && stop === Infinity) continue;
        const chunk = each.next(left, stop);
        chunks.push(chunk);
        left -= chunk.records;
      }
      return Promise.resolve(chunks);
    },
    peek: (index) => Promise.resolve(partitions[index]?.peek()),
    close: () => Promise.resolve(),
  };
}

/** What was read to its end is not looked at again. Throws GAP where a file ends before the position. */
export async function openParquet(
  listed: ListedFile,
  index: number,
  columns: readonly Column[],
  context: SourceContext,
): Promise<ParquetPartition> {
  const { file, isThere, position } = listed;
  if (isFinished(listed)) return new ParquetPartition(listed, index, [], []);
  if (!isThere) {
    passGone(listed, 'row', context);
    return new ParquetPartition(listed, index, [], []);
  }
  const given = await describe(file, columns, context);
  const ends = await groupEnds(file, context);
  const rows = ends.at(-1) ?? 0;
  if (rows < position) passShorter(listed, rows, 'row', context);
  return new ParquetPartition(listed, index, given, ends);
}

const readParquet = (file: FoundFile): Sql => sql`read_parquet(${literalPath(file)}, file_row_number = true)`;

/** DuckDB takes a path as a glob: what is a name's own character stands in brackets. */
const literalPath = ({ path }: FoundFile): string => path.replace(/[*?[]/g, '[$&]');

/** The declared columns under the names and types that the file gives them, renamed as declared. */
async function describe(
  file: FoundFile,
  columns: readonly Column[],
  context: SourceContext,
): Promise<readonly Column[]> {
  const rows = await ask(file, context, sql`SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM read_parquet(${literalPath(file)}))`); // prettier-ignore
  const found = rows.map((row) => ({ name: String(row['column_name']), type: String(row['column_type']) }));
  return columns.map(({ name }) => {
    const column = found.find((each) => each.name === name) ?? found.find((each) => sameName(each.name, name));
    if (column === undefined) throw missingColumn(file, name, found.map((each) => each.name)); // prettier-ignore
    return { name, type: column.type };
  });
}

async function groupEnds(file: FoundFile, context: SourceContext): Promise<readonly number[]> {
  const groups = await ask(
    file,
    context,
    sql`SELECT CAST(any_value(row_group_num_rows) AS DOUBLE) AS n FROM parquet_metadata(${literalPath(file)}) GROUP BY row_group_id ORDER BY row_group_id`,
  );
  let rows = 0;
  return groups.map(({ n }) => (rows += Number(n)));
}

async function ask(file: FoundFile, context: SourceContext, query: Sql): ReturnType<SourceContext['query']> {
  try {
    return await context.query(query);
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    throw new StreamsqlError('SOURCE', `${file.name} cannot be read as Parquet: ${reason}`, { cause: error });
  }
}
