import { ident, join, literal, sql, type Sql } from '../base/sql.ts';
import { comesThrough, lateSources } from '../planner/demand.ts';
import type { Window } from '../planner/plan-windows.ts';
import type { PlanNode } from '../planner/plan.ts';
import { firstEnd, micros } from './windows.ts';
import { deltaTable, LATENESS, type OperatorContext } from './operators/operator.ts';
import type { LatenessCheck } from './operators/source.ts';
import { SourceOperator } from './operators/source.ts';

/** Where an epoch's late rows wait for its commit. */
export const LATE_STAGING = deltaTable('$late');

export const LATE_SHAPE = sql`CREATE OR REPLACE TABLE ${LATE_STAGING} (
  view VARCHAR, source VARCHAR, partition INTEGER, "offset" BIGINT, watermark TIMESTAMP, partly BOOLEAN, payload VARCHAR)`;

/**
 * Keeps the rows that an operator (`refuser`) refuses of one of its inputs: `rows` is its input with LATENESS columns, `accepted` the condition under
 * which a row counts. A row that is refused for some of its windows only is kept as partly late.
 */
export async function keepLate(
  context: OperatorContext,
  refuser: PlanNode,
  input: PlanNode,
  rows: Sql,
  accepted: Sql,
): Promise<void> {
  const names = Object.values(LATENESS).map((name) => ident(name));
  const [source, partition, offset, watermark] = names as [Sql, Sql, Sql, Sql];
  const refused = sql`SELECT ${join([source, partition, offset])}, any_value(${watermark}) AS watermark, bool_or(accepted) AS partly
    FROM (SELECT ${join(names)}, coalesce(${accepted}, true) AS accepted FROM ${rows})
    GROUP BY ALL HAVING NOT bool_and(accepted)`;
  for (const late of lateSources(input)) {
    const operator = context.operator(late);
    if (!(operator instanceof SourceOperator) || !operator.mayBeLate()) continue;
    const visible = late.columns.map((column) => sql`${ident(column.name)} := t.${ident(column.name)}`);
    for (const view of context.viewsOf(refuser)) {
      await context.session.run(
        refuser.id,
        sql`INSERT INTO ${LATE_STAGING}
          SELECT ${literal(view)}, l.${source}, l.${partition}, l.${offset}, make_timestamp(epoch_us(l.watermark)), l.partly,
            CAST(to_json(struct_pack(${join(visible)})) AS VARCHAR)
          FROM (${refused}) l JOIN ${operator.lateRows} t ON t.${partition} = l.${partition} AND t.${offset} = l.${offset}
          WHERE l.${source} = ${late.name}`,
      );
    }
  }
}

/** Whether a row that comes through from a source counts: `time + after` is past its own partition's watermark. */
export function inTime(time: Sql, after: bigint): Sql {
  const watermark = ident(LATENESS.watermark);
  return sql`(${watermark} IS NULL OR ${time} + ${micros(after)} > ${watermark})`;
}

/**
 * Tells the sources whose rows come through `node` as they are what would be late for a reader of it: a row whose
 * earliest window has ended, or, where there is no window on the way, one before the watermark.
 */
export function watchForLateRows(context: OperatorContext, node: PlanNode, own?: Window): void {
  const watch = (at: PlanNode, window: Window | undefined): void => {
    if (at.kind === 'source') {
      const operator = context.operator(at);
      if (operator instanceof SourceOperator)
        operator.addCheck(window === undefined ? beforeWatermark : windowEnded(window));
      return;
    }
    const nearest = at.kind === 'window' ? (window ?? at.window) : window;
    comesThrough(at).forEach((input) => watch(input, nearest));
  };
  watch(node, own);
}

const beforeWatermark: LatenessCheck = (min, watermark) => min < watermark;

const windowEnded =
  (window: Window): LatenessCheck =>
  (min, watermark) =>
    firstEnd(window, min) <= watermark;
