import { StreamsqlError, unreachable } from '../base/errors.ts';
import { checkOptions, nearest } from '../base/options.ts';
import type { Column } from '../base/schema.ts';
import { ident } from '../base/sql.ts';
import type {
  ChangeTable,
  CreateSink,
  CreateSource,
  CreateTable,
  CreateView,
  Drop,
  InsertInto,
  Name,
  Query,
  Script,
  Select,
  Statement,
} from '../parser/statements.ts';
import { baseTables, text } from './ast.ts';
import { bindText } from './bind-text.ts';
import { Catalog, wordFor, type CatalogEntry, type DeclaredSink } from './catalog.ts';
import { refuse, type QueryContext, type Relational } from './context.ts';
import { checkLateness, coalesced, readEmitOptions } from './emit-options.ts';
import { planOf, type MaterializedView, type Plan, type SinkTarget } from './plan.ts';
import { compileNamed, compileQuery } from './query.ts';
import { unique } from './block.ts';
import { createTable, streamsAreNotRead, tableChange, type TableHost } from './tables.ts';
import type { TableChange } from './table-service.ts';
import { changelogColumns, writesChanges } from './changelog.ts';
import { at, physicalColumns, pickConnector, planSource, type SourceHost } from './source.ts';

export interface PlannerHost extends SourceHost, TableHost {
  /** A SELECT that reads no source: bound against the empty tables of views. */
  readonly cwd: string;
}

type EmitMode = 'changes' | 'on-window-close';

/** A statement that answers at once. */
export type Answer =
  | { readonly kind: 'show'; readonly statement: Extract<Statement, { kind: 'show' }> }
  | { readonly kind: 'describe'; readonly statement: Extract<Statement, { kind: 'describe' }> }
  | { readonly kind: 'explain'; readonly statement: Extract<Statement, { kind: 'explain' }>; readonly plan: Plan }
  | { readonly kind: 'set'; readonly statement: Extract<Statement, { kind: 'set' }> };

/** Turns statements into a plan. Each script is taken whole or not at all. */
export class Planner {
  private readonly host: PlannerHost;
  private catalog = new Catalog();
  private ids = 0;
  private placeholders = 0;

  constructor(host: PlannerHost) {
    this.host = host;
  }

  /** Takes a script in; `answer` is called for SHOW, DESCRIBE, EXPLAIN and SET in their turn. */
  async script(script: Script, answer: (answer: Answer) => Promise<void>): Promise<void> {
    const before = this.catalog;
    this.catalog = before.copy();
    await this.host.tables.begin();
    try {
      const targets = new Set(
        script.statements.flatMap((statement) =>
          statement.kind === 'insert' ? [statement.target.text.toLowerCase()] : [],
        ),
      );
      const reads = script.statements.filter((statement) => statement.kind === 'select');
      for (const statement of script.statements) {
        await this.statement(
          script,
          statement,
          {
            targets,
            onlyQuery:
              reads.length === 1 &&
              !script.statements.some((other) => other.kind === 'create-view' && other.materialized),
          },
          answer,
        );
      }
      await this.host.tables.commit();
    } catch (error) {
      await this.host.tables.rollback();
      await this.restore(before);
      throw error;
    }
  }

  /** A script of changes to tables alone, for a run that is under way. Throws USAGE at the first other statement. */
  changes(script: Script): readonly TableChange[] {
    return script.statements.map((statement) => {
      if (statement.kind === 'change') return tableChange(this.catalog, statement);
      if (statement.kind === 'insert' && this.catalog.need(statement.target).kind === 'table')
        return tableChange(this.catalog, statement);
      throw new StreamsqlError('USAGE', 'after run() only INSERT, UPDATE and DELETE of tables may come', {
        span: statement.span,
        hint: 'declare sources, tables, views and sinks before run()',
      });
    });
  }

  /** An error of a change, in the words of the catalog. */
  changeError(error: unknown): unknown {
    return streamsAreNotRead(this.catalog, error);
  }

  get entries(): ReadonlyMap<string, CatalogEntry> {
    return this.catalog.entries;
  }

  entry(name: Name): CatalogEntry {
    return this.catalog.need(name);
  }

  /** What a run does: every table, materialized view and sink, and the sources that they read. */
  plan(): Plan {
    const views = [...this.catalog.entries.values()].flatMap((entry) =>
      entry.kind === 'materialized' ? [entry.view] : [],
    );
    const sinks = this.catalog.targets;
    const tables = [...this.catalog.entries.values()].flatMap((entry) => (entry.kind === 'table' ? [entry.node] : []));
    return planOf(views, sinks, this.catalog.closing, tables);
  }

  private async statement(
    script: Script,
    statement: Statement,
    around: { targets: ReadonlySet<string>; onlyQuery: boolean },
    answer: (answer: Answer) => Promise<void>,
  ): Promise<void> {
    const text = script.text.slice(statement.span.start, statement.span.end);
    switch (statement.kind) {
      case 'create-source':
        if (statement.word === 'table' && around.targets.has(statement.name.text.toLowerCase()))
          return this.declareSink(statement, text);
        return this.createSource(statement, text);
      case 'create-table':
        return this.createTable(statement, text);
      case 'create-view':
        return this.createView(statement, text, script);
      case 'create-sink':
        return this.declareSink(statement, text);
      case 'insert':
        return this.insert(statement);
      case 'change':
        return this.change(statement);
      case 'select':
        return this.select(statement, text, around.onlyQuery);
      case 'drop':
        return this.drop(statement);
      case 'set':
      case 'show':
      case 'describe':
        return answer({ kind: statement.kind, statement } as Answer);
      case 'explain':
        return answer({ kind: 'explain', statement, plan: await this.explained(script, statement.subject) });
      default:
        return unreachable(statement);
    }
  }

  private async createSource(statement: CreateSource, text: string): Promise<void> {
    if (this.catalog.taken(statement.name, statement.ifNotExists)) return;
    const node = await planSource(this.host, statement);
    this.catalog.add({ kind: 'source', name: statement.name.text, node, statement, text });
  }

  private async createTable(statement: CreateTable, text: string): Promise<void> {
    if (this.catalog.taken(statement.name, statement.ifNotExists)) return;
    const node = await createTable(this.host, this.catalog, statement);
    this.catalog.add({ kind: 'table', name: node.name, node, text });
  }

  private async change(statement: ChangeTable | InsertInto): Promise<void> {
    await this.host.tables.change(tableChange(this.catalog, statement)).catch((error: unknown) => {
      throw this.changeError(error);
    });
  }

  private async createView(statement: CreateView, text: string, script: Script): Promise<void> {
    if (this.catalog.taken(statement.name, statement.ifNotExists)) return;
    const name = statement.name.text;
    const columns = await this.bind(statement.query, statement.columnNames);
    if (!statement.materialized) {
      const compiled = new Map<EmitMode, Promise<Relational>>();
      const compile = (emit: EmitMode): Promise<Relational> => {
        const own = statement.query.emit?.kind ?? emit;
        const known = compiled.get(emit) ?? this.compile(statement.query, own, columns, compileNamed);
        compiled.set(emit, known);
        return known;
      };
      await compile(statement.query.emit?.kind ?? 'changes').catch((error: unknown) =>
        this.onlyOtherMode(error, compile),
      );
      await this.host.service.declare(name, columns);
      this.catalog.add({ kind: 'view', name, statement, text, columns, compile });
      return;
    }
    const emit = statement.query.emit?.kind ?? 'changes';
    const relational = await this.compile(statement.query, emit, columns);
    await this.host.service.declare(name, columns);
    const sql = script.text.slice(statement.query.sql.span.start, statement.query.sql.span.end);
    const view: MaterializedView = { name, node: relational.node, columns: relational.columns, sql, emit };
    this.catalog.add({ kind: 'materialized', name, view, text });
  }

  /** A plain view has no mode of its own: it may make sense under EMIT ON WINDOW CLOSE alone. */
  private async onlyOtherMode(error: unknown, compile: (emit: EmitMode) => Promise<Relational>): Promise<void> {
    if (!(error instanceof StreamsqlError) || error.code !== 'UNSUPPORTED') throw error;
    await compile('on-window-close').catch(() => {
      throw error;
    });
  }

  private async declareSink(statement: CreateSink | CreateSource, text: string): Promise<void> {
    if (this.catalog.taken(statement.name, statement.ifNotExists)) return;
    const name = statement.name.text;
    const { connector } = pickConnector(
      statement.options,
      statement.name,
      (word) => this.host.connectors.sink(word),
      this.host.connectors.sinkNames,
      'sink',
    );
    const columns = await physicalColumns(this.host.service, statement.columns);
    const sink: DeclaredSink = {
      name,
      connector,
      statement,
      options: statement.options.filter((option) => option.name.toLowerCase() !== 'connector'),
      columns,
    };
    this.catalog.add({ kind: 'sink', name, sink, text });
    if (statement.kind === 'create-sink' && statement.query !== undefined)
      await this.flow(sink, statement.query, statement.name);
    else checkOptions(sink.options, connector.options, `the ${connector.name} sink`, statement.name.span);
  }

  private async insert(statement: InsertInto): Promise<void> {
    const entry = this.catalog.need(statement.target);
    if (entry.kind === 'table') return this.change(statement);
    if (entry.kind !== 'sink') {
      throw new StreamsqlError(
        'UNSUPPORTED',
        `INSERT INTO takes a table or a sink; ${entry.name} is a ${wordFor(entry)}`,
        {
          span: statement.target.span,
        },
      );
    }
    if (statement.columnNames.length > 0) {
      throw new StreamsqlError('UNSUPPORTED', 'a column list in INSERT INTO is not supported yet', {
        span: statement.columnNames[0]?.span,
        hint: 'select the columns in the order of the sink',
      });
    }
    await this.flow(entry.sink, statement.query, statement.target);
  }

  /** Lets a query flow into a sink. */
  private async flow(sink: DeclaredSink, query: Query, at: Name): Promise<void> {
    const bound = await this.bind(query, []);
    const relational = await this.compile(query, query.emit?.kind ?? 'changes', bound);
    if (sink.columns.length > 0 && sink.columns.length !== relational.columns.length) {
      throw new StreamsqlError(
        'BIND',
        `the sink ${sink.name} has ${sink.columns.length} columns, the query ${relational.columns.length}`,
        { span: at.span },
      );
    }
    const columns: readonly Column[] =
      sink.columns.length > 0 ? sink.columns : relational.columns.map(({ name, type }) => ({ name, type }));
    const options = checkOptions(
      sink.options,
      sink.connector.options,
      `the ${sink.connector.name} sink`,
      sink.statement.name.span,
    );
    const changelog = writesChanges(sink, options, relational.node, query.sql.span);
    const plan = sink.connector.plan({
      name: sink.name,
      columns: changelog ? changelogColumns(columns, at.span) : columns,
      options,
      span: sink.statement.span,
      cwd: this.host.cwd,
    });
    const target: SinkTarget = {
      name: sink.name,
      connector: sink.connector.name,
      plan,
      node: relational.node,
      columns,
      changelog,
    };
    this.catalog.targets.push(target);
  }

  /** Over views, for the end of the run; over a source, only where it is all that the script asks. */
  private async select(statement: Select, text: string, onlyQuery: boolean): Promise<void> {
    if (statement.query.emit === undefined && !(await this.readsSource(statement.query))) {
      await this.host.service.bind(statement.query.sql);
      this.catalog.closing.push({ text, sql: statement.query.sql.text });
      return;
    }
    if (!onlyQuery) {
      throw new StreamsqlError(
        'UNSUPPORTED',
        'a SELECT over a source runs on and on, so it must be the only query of its file',
        {
          span: statement.span,
          hint: 'CREATE MATERIALIZED VIEW name AS … and SELECT from that',
        },
      );
    }
    const columns = await this.bind(statement.query, []);
    const relational = await this.compile(statement.query, statement.query.emit?.kind ?? 'changes', columns);
    if (!relational.node.appendOnly) {
      const name = 'query';
      await this.host.service.declare(name, columns);
      const view: MaterializedView = {
        name,
        node: relational.node,
        columns: relational.columns,
        sql: text,
        emit: 'changes',
      };
      this.catalog.add({ kind: 'materialized', name, view, text });
      this.catalog.closing.push({ text, sql: `SELECT * FROM ${ident(name).text}` });
      return;
    }
    const print = this.host.connectors.sink('print');
    if (print === undefined) throw new StreamsqlError('INTERNAL', 'there is no print sink');
    const plain = relational.columns.map(({ name, type }) => ({ name, type }));
    const options = checkOptions([], print.options, 'the print sink', statement.span);
    const plan = print.plan({ name: 'query', columns: plain, options, span: statement.span, cwd: this.host.cwd });
    this.catalog.targets.push({
      name: 'query',
      connector: 'print',
      plan,
      node: relational.node,
      columns: plain,
      changelog: false,
    });
  }

  private async readsSource(query: Query): Promise<boolean> {
    const tree = await this.host.service.parse(query.sql);
    const names = baseTables(tree).map((node) => text(node['table_name']));
    const windowed = bindText(query.sql).text !== query.sql.text;
    return windowed || names.some((name) => ['source', 'view'].includes(this.catalog.get(name)?.kind ?? ''));
  }

  private async drop(statement: Drop): Promise<void> {
    const entry = this.catalog.get(statement.name.text);
    if (entry === undefined && statement.ifExists) return;
    const found = this.catalog.need(statement.name);
    const reader = [...this.catalog.entries.values()].find((other) => other !== found && reads(other, found.name));
    if (reader !== undefined) {
      throw new StreamsqlError('CATALOG', `${found.name} cannot be dropped: ${reader.name} reads it`, {
        span: statement.name.span,
        hint: `DROP ${reader.name} first`,
      });
    }
    this.catalog.entries.delete(found.name.toLowerCase());
    if (found.kind === 'table') await this.host.tables.drop(found.name);
    if (found.kind === 'sink') {
      const gone = this.catalog.targets.findIndex((target) => target.name === found.name);
      if (gone >= 0) this.catalog.targets.splice(gone, 1);
    }
    await this.host.service.undeclare(found.name);
  }

  private async explained(script: Script, subject: Statement | Name): Promise<Plan> {
    if (!('kind' in subject)) {
      const entry = this.catalog.need(subject);
      if (entry.kind === 'materialized') return planOf([entry.view], [], []);
      throw new StreamsqlError(
        'CATALOG',
        `${entry.name} is a ${wordFor(entry)}; EXPLAIN takes a materialized view or a query`,
        { span: subject.span },
      );
    }
    const intoTable = subject.kind === 'insert' && this.catalog.need(subject.target).kind === 'table';
    const query = 'query' in subject && !intoTable ? subject.query : undefined;
    if (query === undefined)
      throw new StreamsqlError('UNSUPPORTED', 'EXPLAIN takes a query, a view or a sink', { span: subject.span });
    const columns = await this.bind(query, []);
    const emit = query.emit?.kind ?? 'changes';
    const relational = await this.compile(query, emit, columns);
    const name = 'name' in subject && subject.name !== undefined ? subject.name.text : 'query';
    const view: MaterializedView = {
      name,
      node: relational.node,
      columns: relational.columns,
      sql: script.text.slice(query.sql.span.start, query.sql.span.end),
      emit,
    };
    return planOf([view], [], []);
  }

  /** The columns of a query by DuckDB's binder, which finds the user's mistakes and points at them. */
  private async bind(query: Query, names: readonly Name[]): Promise<readonly Column[]> {
    await this.host.service.parse(query.sql);
    const columns = await this.host.service.bind(bindText(query.sql)).catch((error: unknown) => {
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
    if (this.catalog.get(missing)?.kind === 'sink')
      return new StreamsqlError('BIND', `${missing} is a sink: rows go in, none come out`, { span: error.span });
    const near = nearest(
      missing,
      [...this.catalog.entries.values()].map((entry) => entry.name),
    );
    const hint = near === undefined ? 'CREATE SOURCE or CREATE VIEW it first' : `did you mean ${near}?`;
    return new StreamsqlError('BIND', `there is no source or view ${missing}`, { span: error.span, hint });
  }

  private async compile(
    query: Query,
    emit: EmitMode,
    bound: readonly Column[],
    compiler = compileQuery,
  ): Promise<Relational> {
    const root = await this.host.service.parse(query.sql);
    const { every, lateness } = await readEmitOptions(this.host.service, query.emit);
    const context: QueryContext = {
      service: this.host.service,
      text: query.sql,
      root,
      emit,
      emitSpan: query.emit?.span,
      lateness,
      // What stands in SQL alone is counted apart: the names of operators are shown.
      nextId: (hint) => `${hint}${hint.startsWith('$') ? ++this.placeholders : ++this.ids}`,
      lookup: async (name, node) => {
        const entry = this.catalog.get(name);
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

  private async restore(before: Catalog): Promise<void> {
    for (const [name, entry] of this.catalog.entries)
      if (!before.entries.has(name)) await this.host.service.undeclare(entry.name);
    this.catalog = before;
  }
}

const GROUPED_WINDOW = /\b(tumble|hop|session)_\w+\s*\(/i;

function reads(entry: CatalogEntry, name: string): boolean {
  const text = entry.kind === 'view' || entry.kind === 'materialized' || entry.kind === 'sink' ? entry.text : '';
  const body = text.slice(Math.max(0, text.search(/\bAS\b/i)));
  return new RegExp(`(?<![\\w.])"?${name.replace(/[^\w]/g, '\\$&')}"?(?!\\w)`, 'i').test(body);
}
