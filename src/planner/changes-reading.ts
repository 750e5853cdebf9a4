import type { ChangeFormat, SourcePlan } from '../base/connector.ts';
import type { RecordColumn } from '../base/metadata.ts';
import type { Column } from '../base/schema.ts';
import { ident, raw, sql, type Sql } from '../base/sql.ts';
import type { MappedText, Name } from '../parser/statements.ts';
import type { Metadata } from './metadata.ts';
import type { ChangeSide, ComputedColumn, EventTime, SourceNode } from './plan-sources.ts';
import type { SourceTiming } from './timing.ts';

/** A CREATE SOURCE whose records are changes, checked as far as any source is. */
export interface ChangingSource {
  readonly connector: string;
  readonly plan: SourcePlan;
  readonly reads: string;
  readonly retainMs: number | undefined;
  readonly timing: SourceTiming;
  readonly changes: ChangeFormat;
  readonly primaryKey: readonly string[];
  /** All that the user sees, in the order of the declaration. */
  readonly columns: readonly Column[];
  readonly metadata: Metadata;
  readonly computed: readonly { readonly name: Name; readonly expression: MappedText }[];
  readonly eventTime: EventTime | undefined;
}

/** The declared columns of the PRIMARY KEY, in the order of the key. */
export const keyColumns = ({ plan, primaryKey }: ChangingSource): readonly Column[] =>
  primaryKey.flatMap((name) => plan.columns.find((column) => column.name === name) ?? []);

/** What a format makes of the declaration: how its records are read, and what they do to the rows. */
export interface ChangeReading {
  /** Those of the records, without metadata. */
  readonly physical: readonly RecordColumn[];
  readonly computed: SourceNode['computed'];
  readonly envelope: string | undefined;
  readonly problem: string;
  readonly key: readonly Column[];
  readonly put: ChangeSide;
  readonly end: ChangeSide;
}

/** The name of a metadata column beside those of the records, which stand in an envelope or have such names themselves. */
export const metadataName = (column: string): string => `${METADATA_PREFIX}${column}`;
export const declaredName = (name: string): string =>
  name.startsWith(METADATA_PREFIX) ? name.slice(METADATA_PREFIX.length) : name;
const METADATA_PREFIX = '$metadata.';

/** The event time of a record, a column of its own: that of the row it brings. */
export const TIME = '$time';

/** That column, where a record brings a row, and the problem of one whose time is none; `computed`: as its declaration is. */
export function timeOf(
  eventTime: EventTime,
  brings: Sql,
  own: Sql,
  computed: ComputedColumn | undefined,
): { readonly column: ComputedColumn; readonly problem: Sql } {
  const bare = computed === undefined ? own : raw(computed.expression);
  const time = computed === undefined ? own : sql`TRY(${bare})`;
  const type = eventTime.zoned ? 'TIMESTAMP WITH TIME ZONE' : 'TIMESTAMP';
  const reason = `the event time ${eventTime.column} is NULL or infinite`;
  return {
    column: { name: TIME, expression: sql`CASE WHEN ${brings} THEN ${bare} END`.text, type },
    problem: sql`WHEN ${brings} AND (${time} IS NULL OR NOT isfinite(${time})) THEN ${reason}`,
  };
}

/** A type with these columns for its fields. */
export const struct = (columns: readonly Column[]): string =>
  `STRUCT(${columns.map(({ name, type }) => `${ident(name).text} ${type}`).join(', ')})`;
