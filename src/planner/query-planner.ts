import { StreamsqlError } from '../base/errors.ts';
import { nearest } from '../base/options.ts';
import type { Column } from '../base/schema.ts';
import type { Name, Query } from '../parser/statements.ts';
import { bindText } from './bind-text.ts';
import { unique } from './block.ts';
import type { Catalog } from './catalog.ts';
import { refuse, type QueryContext, type Relational } from './context.ts';
import { checkLateness, coalesced, readEmitOptions } from './emit-options.ts';
import { compileQuery } from './query.ts';
import { at } from './source.ts';
import type { SqlService } from './sql-service.ts';

export type EmitMode = 'changes' | 'on-window-close';

/** Binds and compiles the queries that stand in statements, against the catalog as it is at the time. */
export class QueryPlanner {
  private readonly service: SqlService;
  private readonly catalog: () => Catalog;
  private ids = 0;
  private placeholders = 0;

  constructor(service: SqlService, catalog: () => Catalog) {
    this.service = service;
    this.catalog = catalog;
  }

  /** The columns of a query by DuckDB's binder, which finds the user's mistakes and points at them. */
  async bind(query: Query, names: readonly Name[]): Promise<readonly Column[]> {
    await this.service.parse(query.sql);
    const columns = await this.service.bind(bindText(query.sql)).catch((error: unknown) => {
      throw this.nearTable(error, query.sql.text);
    });
    const extra = names[columns.length];
    if (extra !== undefined) {
      throw new StreamsqlError('BIND', `the query has ${columns.length} columns, the view names ${names.length}`, {
        span: extra.span,
      });
    }
    const taken = new Set<string>();
    return columns.map((column, i) => ({ ...column, name: unique(names[i]?.text ?? column.name, taken) }));
  }

  /** For a table that is not there DuckDB proposes its own; ours are nearer. */
  private nearTable(error: unknown, sql: string): unknown {
    if (!(error instanceof StreamsqlError)) return error;
    const missing = /^Table with name (.+) does not exist/.exec(error.message)?.[1];
    if (/^column ".*" must appear in the GROUP BY/.test(error.message) && GROUPED_WINDOW.test(sql))
      return new StreamsqlError('BIND', error.message, {
        span: error.span,
        hint: 'TUMBLE_START and its like take the same column and sizes as the window in GROUP BY',
      });
    if (missing === undefined) return error;
    if (this.catalog().get(missing)?.kind === 'sink')
      return new StreamsqlError('BIND', `${missing} is a sink: rows go in, none come out`, { span: error.span });
    const near = nearest(
      missing,
      [...this.catalog().entries.values()].map((entry) => entry.name),
    );
    const hint = near === undefined ? 'CREATE SOURCE or CREATE VIEW it first' : `did you mean ${near}?`;
    return new StreamsqlError('BIND', `there is no source or view ${missing}`, { span: error.span, hint });
  }

  /** A query of its own, in the mode that it says. */
  async plan(query: Query): Promise<{ columns: readonly Column[]; relational: Relational; emit: EmitMode }> {
    const columns = await this.bind(query, []);
    const emit = query.emit?.kind ?? 'changes';
    return { columns, relational: await this.compile(query, emit, columns), emit };
  }

  async compile(query: Query, emit: EmitMode, bound: readonly Column[], compiler = compileQuery): Promise<Relational> {
    const root = await this.service.parse(query.sql);
    const { every, lateness } = await readEmitOptions(this.service, query.emit);
    const context: QueryContext = {
      service: this.service,
      text: query.sql,
      root,
      emit,
      emitSpan: query.emit?.span,
      lateness,
      // What stands in SQL alone is counted apart: the names of operators are shown.
      nextId: (hint) => `${hint}${hint.startsWith('$') ? ++this.placeholders : ++this.ids}`,
      lookup: async (name, node) => {
        const entry = this.catalog().get(name);
        switch (entry?.kind) {
          case 'source':
          case 'table':
            return { node: entry.node, columns: entry.node.columns };
          case 'view':
            return entry.compile(emit);
          case 'materialized':
            return { node: entry.view.node, columns: entry.view.columns };
          case 'sink':
            throw refuse(context, node, `${name} is a sink: rows go in, none come out`);
          case undefined:
            return undefined;
        }
      },
    };
    const compiled = await at(query.sql.span, () => compiler(context, root));
    if (compiled.node.kind === 'static' && compiler === compileQuery)
      throw refuse(context, root, 'a view reads from a source; this query reads none');
    if (lateness !== undefined) checkLateness(compiled.node, lateness);
    const relational = every === undefined ? compiled : await coalesced(context, compiled, every);
    if (query.emit?.kind === 'on-window-close' && lateness === undefined && !relational.node.appendOnly) {
      throw new StreamsqlError(
        'UNSUPPORTED',
        'EMIT ON WINDOW CLOSE: the rows of this query change, and nothing closes',
        {
          span: query.emit.span,
          hint: 'leave it away, or let the view below it emit on window close',
        },
      );
    }
    const wrong = bound.findIndex((column, i) => column.type !== relational.columns[i]?.type);
    if (wrong >= 0 || bound.length !== relational.columns.length) {
      const [expected, got] = [bound[wrong], relational.columns[wrong]];
      throw new StreamsqlError(
        'INTERNAL',
        `the plan gives ${got?.name} ${got?.type} where the query says ${expected?.name} ${expected?.type}`,
        { span: query.sql.span },
      );
    }
    return {
      node: relational.node,
      columns: relational.columns.map((column, i) => ({ ...column, name: bound[i]?.name ?? column.name })),
    };
  }
}

const GROUPED_WINDOW = /\b(tumble|hop|session)_\w+\s*\(/i;
