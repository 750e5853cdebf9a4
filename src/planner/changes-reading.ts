import type { ChangeFormat, SourcePlan } from '../base/connector.ts';
import type { Column } from '../base/schema.ts';
import { ident } from '../base/sql.ts';
import type { MappedText, Name } from '../parser/statements.ts';
import type { ChangeSide, EventTime, SourceNode } from './plan-sources.ts';

/** A CREATE SOURCE whose records are changes, checked as far as any source is. */
export interface ChangingSource {
  readonly connector: string;
  readonly plan: SourcePlan;
  readonly changes: ChangeFormat;
  readonly primaryKey: readonly string[];
  /** All that the user sees, in the order of the declaration. */
  readonly columns: readonly Column[];
  readonly computed: readonly { readonly name: Name; readonly expression: MappedText }[];
  readonly eventTime: EventTime | undefined;
}

/** What a format makes of the declaration: how its records are read, and what they do to the rows. */
export interface ChangeReading {
  readonly physical: readonly Column[];
  readonly computed: SourceNode['computed'];
  readonly envelope: string | undefined;
  readonly problem: string;
  readonly key: readonly Column[];
  readonly put: ChangeSide;
  readonly end: ChangeSide;
}

/** The event time of a record, a column of its own: that of the row it brings. */
export const TIME = '$time';

/** A type with these columns for its fields. */
export const struct = (columns: readonly Column[]): string =>
  `STRUCT(${columns.map(({ name, type }) => `${ident(name).text} ${type}`).join(', ')})`;
