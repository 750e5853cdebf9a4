import { StreamsqlError } from '../base/errors.ts';
import type { CreateView, Script } from '../parser/statements.ts';
import type { Relational } from './context.ts';
import type { MaterializedView } from './plan.ts';
import { written, type Planning } from './planning.ts';
import type { EmitMode } from './query-planner.ts';
import { compileNamed } from './query.ts';

/** CREATE [MATERIALIZED] VIEW. A plain one is compiled for each mode in which it is read. */
export async function createView(
  planning: Planning,
  statement: CreateView,
  text: string,
  script: Script,
): Promise<void> {
  if (planning.catalog.taken(statement.name, statement.ifNotExists)) return;
  const name = statement.name.text;
  const columns = await planning.queries.bind(statement.query, statement.columnNames);
  if (!statement.materialized) {
    const compiled = new Map<EmitMode, Promise<Relational>>();
    const compile = (emit: EmitMode): Promise<Relational> => {
      const own = statement.query.emit?.kind ?? emit;
      const known = compiled.get(emit) ?? planning.queries.compile(statement.query, own, columns, compileNamed);
      compiled.set(emit, known);
      return known;
    };
    await compile(statement.query.emit?.kind ?? 'changes').catch((error: unknown) => onlyOtherMode(error, compile));
    await planning.host.service.declare(name, columns);
    planning.catalog.add({ kind: 'view', name, statement, text, columns, compile });
    return;
  }
  const emit = statement.query.emit?.kind ?? 'changes';
  const relational = await planning.queries.compile(statement.query, emit, columns);
  await planning.host.service.declare(name, columns);
  const sql = written(script, statement.query.sql.span);
  const view: MaterializedView = { name, node: relational.node, columns: relational.columns, sql, emit };
  planning.catalog.add({ kind: 'materialized', name, view, text });
}

/** A plain view has no mode of its own: it may make sense under EMIT ON WINDOW CLOSE alone. */
async function onlyOtherMode(error: unknown, compile: (emit: EmitMode) => Promise<Relational>): Promise<void> {
  if (!(error instanceof StreamsqlError) || error.code !== 'UNSUPPORTED') throw error;
  await compile('on-window-close').catch(() => {
    throw error;
  });
}
