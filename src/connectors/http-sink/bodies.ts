import type { SinkContext } from '../../base/connector.ts';
import type { Column } from '../../base/schema.ts';
import { ident, join, raw, sql, type Sql } from '../../base/sql.ts';
import { isNested, objectText } from '../json-text.ts';

export interface BodyShape {
  readonly format: 'json' | 'ndjson';
  /** The most rows of one request. */
  readonly rows: number;
}

/**
 * The bodies of one epoch's requests, kept as text in a table of the engine's. An epoch that is sent again has the same bodies,
 * whatever order its rows come in: they are sorted, of a changelog what goes first.
 */
export class EpochBodies {
  private readonly table: Sql;
  private readonly columns: readonly Column[];
  private readonly shape: BodyShape;
  private readonly context: SinkContext;

  constructor(sink: string, columns: readonly Column[], shape: BodyShape, context: SinkContext) {
    this.table = ident('temp', `http sink ${sink}`);
    this.columns = columns;
    this.shape = shape;
    this.context = context;
  }

  async take(delta: Sql): Promise<void> {
    const { format, rows } = this.shape;
    const [line, place] = [ident('$line'), ident('$place')];
    const sorted = this.columns
      .filter(({ type }) => !isNested(type) && !/^(?:VARIANT|GEOMETRY)\b/.test(type))
      .map(({ name }, i) => (i === 0 && name === 'op' ? sql`${ident(name)} DESC` : ident(name)));
    const places = sql`SELECT ${line}, row_number() OVER (ORDER BY ${join([...sorted, line])}) - 1 AS ${place}
      FROM (SELECT *, ${objectText(this.columns)} AS ${line} FROM ${delta})`;
    const lines = sql`string_agg(${line}, ${format === 'json' ? ',' : '\n'} ORDER BY ${place})`;
    const body = format === 'json' ? sql`'[' || ${lines} || ']'` : sql`${lines} || ${'\n'}`;
    await this.context.run(
      sql`CREATE OR REPLACE TEMP TABLE ${this.table} AS
        SELECT CAST(${place} // ${rows} AS INTEGER) AS part, ${body} AS body FROM (${places}) GROUP BY part ORDER BY part`,
    );
  }

  /** One after another, by their numbers from 0. */
  async *all(): AsyncGenerator<string> {
    for (let part = 0; ; part++) {
      const [found] = await this.context.query(sql`SELECT body FROM ${this.table} WHERE part = ${part}`);
      if (typeof found?.['body'] !== 'string') return;
      yield found['body'];
    }
  }

  async drop(): Promise<void> {
    await this.context.run(raw(`DROP TABLE IF EXISTS ${this.table.text}`));
  }
}
