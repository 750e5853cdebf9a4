import type { Span } from '../base/errors.ts';
import type { Script } from '../parser/statements.ts';
import type { Catalog } from './catalog.ts';
import type { QueryPlanner } from './query-planner.ts';
import type { SourceHost } from './source.ts';
import type { TableHost } from './tables.ts';

export interface PlannerHost extends SourceHost, TableHost {
  readonly cwd: string;
}

/** What the statements of a script are planned with. */
export interface Planning {
  readonly host: PlannerHost;
  /** The script's own copy: what it adds is kept only if all of it can be planned. */
  readonly catalog: Catalog;
  readonly queries: QueryPlanner;
}

export const written = (script: Script, span: Span): string => script.text.slice(span.start, span.end);
