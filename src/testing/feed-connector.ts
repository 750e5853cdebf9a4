import { changeFormat, CHANGE_FORMATS } from '../base/change-format.ts';
import type { SourceConnector, SourcePlan } from '../base/connector.ts';
import { StreamsqlError } from '../base/errors.ts';

/** Connectors that need nothing from outside: unless they are fed, they make their rows themselves. */
const OWN_ROWS: ReadonlySet<string> = new Set(['generator', 'nexmark']);

/** What a case means for the sources under test. */
export interface Feeding {
  /** The names, in lower case, of the sources that are fed. */
  readonly fed: ReadonlySet<string>;
  /** The case says END. */
  readonly ends: boolean;
}

/** Whether the source is fed by the case, though perhaps no row at all. */
export const isFed = (feeding: Feeding, name: string, connector: string): boolean =>
  feeding.fed.has(name.toLowerCase()) || !OWN_ROWS.has(connector);

/**
 * The connector as the SQL under test sees it: it checks its options as always, but its input ends only where the case
 * says END. `feed` is the connector of sources that exist for a test alone; it has no options.
 */
export function standIn(
  name: string,
  real: SourceConnector | undefined,
  feeding: Feeding,
): SourceConnector | undefined {
  const connector = real ?? (name === 'feed' ? FEED : undefined);
  if (connector === undefined) return undefined;
  return {
    ...connector,
    plan: (declaration) => {
      const plan = connector.plan(declaration);
      if (isFed(feeding, declaration.name, connector.name))
        return { ...plan, bounded: feeding.ends, live: false, times: 'scripted' };
      if (plan.bounded || !feeding.ends) return plan;
      throw new StreamsqlError('UNSUPPORTED', `the source ${declaration.name} never ends, and the case says END`, {
        span: declaration.span,
        hint: 'FEED it, or say in its options how many rows it has',
      });
    },
  };
}

function changesOf(name: unknown): SourcePlan['changes'] {
  const format = changeFormat(name);
  return format === undefined ? undefined : { format, keyed: true };
}

/** Partitions are named as `FeedReader` names them. */
const FEED: SourceConnector = {
  name: 'feed',
  doc: 'rows that a test feeds',
  options: {
    format: {
      type: 'choice',
      values: ['json', ...CHANGE_FORMATS],
      default: 'json',
      doc: 'what its records are: rows (json), or changes of rows',
    },
  },
  metadata: {
    partition: {
      types: ['INTEGER', 'BIGINT'],
      doc: 'the number of the partition',
      value: { kind: 'partition', of: (name) => Number(name.slice(name.lastIndexOf('-') + 1)) },
    },
    offset: { types: ['BIGINT'], doc: 'its number in the partition', value: { kind: 'offset' } },
  },
  plan: ({ columns, options }) => ({
    columns,
    changes: changesOf(options['format']),
    bounded: false,
    strict: false,
    open: () => {
      throw new StreamsqlError('INTERNAL', 'a feed is opened by the test alone');
    },
  }),
};
