import type { Chunk, SourceConnector, SourceContext, SourceDeclaration, SourcePlan } from '../../src/base/connector.ts';
import { StreamsqlError } from '../../src/base/errors.ts';
import { checkOptions } from '../../src/base/options.ts';
import { ident, join, sql } from '../../src/base/sql.ts';
import { Duck, type DuckConnection } from '../../src/exec/duck.ts';

const SPAN = { start: 0, end: 1 };

/** Plans a source as the planner does: the options are checked first. */
export function planSource(
  connector: SourceConnector,
  options: Readonly<Record<string, string>>,
  declaration: Partial<SourceDeclaration> = {},
): SourcePlan {
  const written = Object.entries(options).map(([name, value]) => ({ name, value, nameSpan: SPAN, valueSpan: SPAN }));
  return connector.plan({
    name: 'source',
    columns: [],
    primaryKey: [],
    computed: [],
    options: checkOptions(written, connector.options, `the ${connector.name} source`, SPAN),
    span: SPAN,
    cwd: '/',
    stem: 'test',
    ...declaration,
  });
}

/** The error that `work` throws, which must be one of ours. */
export function refusal(work: () => unknown): StreamsqlError {
  try {
    work();
  } catch (error) {
    if (error instanceof StreamsqlError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

export interface SequenceBench {
  readonly connection: DuckConnection;
  context(parts?: Partial<SourceContext>): SourceContext;
  /** Reads a bounded source to its end, `sizes` over and over being the most records of a poll. */
  readAll(plan: SourcePlan, sizes: readonly number[]): Promise<readonly Chunk[]>;
  /** Puts the rows of the chunks into a table, one chunk after another; each must have the rows that it says. */
  keep(table: string, chunks: readonly Chunk[]): Promise<void>;
  close(): void;
}

export async function openSequenceBench(): Promise<SequenceBench> {
  const duck = await Duck.open(':memory:', { threads: '2' });
  const connection = await duck.connect();
  const context = (parts: Partial<SourceContext> = {}): SourceContext => ({
    scratch: {
      acquire() {
        throw new Error('a sequence needs no files');
      },
      close: () => undefined,
    },
    parallelism: 1,
    query: (query) => connection.rows(query),
    notice: () => undefined,
    signal: new AbortController().signal,
    ...parts,
  });
  const rowsOf = (chunk: Chunk) => {
    if (chunk.body.kind !== 'query') throw new Error('a sequence gives queries');
    return chunk.body.sql;
  };
  return {
    connection,
    context,
    async readAll(plan, sizes) {
      const reader = plan.open(context());
      await reader.open();
      const chunks: Chunk[] = [];
      for (let i = 0; reader.partitions[0]?.done === false; i++) {
        chunks.push(
          ...(await reader.poll({ partitions: 'all', maxRecords: sizes[i % sizes.length] ?? 1, waitMs: 1000 })),
        );
      }
      await reader.close();
      return chunks;
    },
    async keep(table, chunks) {
      const [first, ...rest] = chunks;
      if (first === undefined) throw new Error('there is no chunk');
      await connection.run(sql`CREATE OR REPLACE TABLE ${ident(table)} AS ${rowsOf(first)}`);
      for (const chunk of rest) await connection.run(sql`INSERT INTO ${ident(table)} ${rowsOf(chunk)}`);
      const counts = join(
        chunks.map((chunk) => sql`(SELECT count(*) FROM (${rowsOf(chunk)})) = ${chunk.records}`),
        ' AND ',
      );
      const [row] = await connection.rows(sql`SELECT ${counts} AS ok`);
      if (row?.['ok'] !== true) throw new Error('a chunk has another number of rows than it says');
    },
    close() {
      connection.close();
      duck.close();
    },
  };
}
