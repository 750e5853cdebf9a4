import { sameName } from '../base/schema.ts';
import { refuse, type QueryContext } from './context.ts';
import type { Compared, Pair } from './pair.ts';
import type { PlanColumn } from './plan-columns.ts';
import type { VersionedRequest } from './temporal-join.ts';

/** Which column of the right side says when a version begins. */
export function versionTime(
  context: QueryContext,
  request: VersionedRequest,
  pair: Pair,
  equalities: readonly Compared[],
): PlanColumn {
  const { node } = pair.right;
  const times = node.columns.filter((column) => column.time?.clock === 'event');
  const [only, second] = times;
  if (only !== undefined && second === undefined) return only;
  if (second !== undefined) {
    const names = times.map((column) => column.name);
    throw refuse(
      context,
      request.table,
      `several columns may say when a version begins: ${names.join(', ')}`,
      `name it: ASOF JOIN … ON … AND l.ts >= r.${only?.name ?? ''}, or read a view that has one of them`,
    );
  }
  const keyed = node.kind === 'table' ? node.key : [];
  const matched = equalities.map(({ right }) => pair.scope.plainColumn(right)?.column.name ?? '');
  const rest = keyed.filter((name) => !matched.some((other) => sameName(other, name)));
  const time = node.columns.find((column) => rest.length === 1 && sameName(column.name, rest[0] ?? ''));
  if (time !== undefined && /^TIMESTAMP( WITH TIME ZONE)?$/.test(time.type)) return time;
  if (keyed.length > 0 && rest.length === 0) {
    const key = keyed.join(', ');
    throw refuse(
      context,
      request.table,
      `the table keeps one row for each ${key}, so it has no versions to go back to`,
      `write AS OF PROCTIME() for what it holds now, or keep versions: PRIMARY KEY (${key}, valid_from)`,
    );
  }
  throw refuse(
    context,
    request.table,
    'nothing says when a version of this table begins',
    'declare WATERMARK FOR its time column, or name the column: ASOF JOIN … ON … AND l.ts >= r.valid_from',
  );
}
