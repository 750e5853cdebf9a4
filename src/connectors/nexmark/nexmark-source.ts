import type { SourceConnector, SourceDeclaration } from '../../base/connector.ts';
import { StreamsqlError } from '../../base/errors.ts';
import type { OptionSpecs, OptionValues } from '../../base/options.ts';
import { readSequence, type Sequence } from '../sequence-reader.ts';
import { auctionTable } from './auction.ts';
import { bidTable } from './bid.ts';
import { project } from './columns.ts';
import type { EventClock } from './event-time.ts';
import { EVENT_KINDS, ordinalFrom, type EventKind } from './events.ts';
import { personTable } from './person.ts';
import { selectRows, type NexmarkTable, type ProjectedColumn } from './table.ts';

const options: OptionSpecs = {
  table: {
    type: 'choice',
    values: EVENT_KINDS,
    doc: 'Which of the three tables; by default the one that the source is named after.',
  },
  events: {
    type: 'integer',
    min: 0,
    doc: 'Where the input ends, counting all three tables (of 50 events 1 is a person, 3 are auctions, 46 are bids); without it, it never does.',
  },
  rate: {
    type: 'integer',
    min: 1,
    doc: 'Events of all three tables a second of real time; by default as fast as they are read.',
  },
  seed: { type: 'integer', min: 0, max: 0xffff_ffff, default: 1, doc: 'Another seed gives other events.' },
  events_per_second: {
    type: 'integer',
    min: 1,
    max: 1_000_000,
    default: 10_000,
    doc: 'Events of all three tables a second of event time, which begins at 2015-07-15 00:00:00.',
  },
  disorder: { type: 'duration', default: 0, doc: 'How far events may be behind those before them, in whole ms.' },
};

/**
 * The Nexmark benchmark's people, auctions and bids, https://github.com/nexmark/nexmark: its schemas, proportions and
 * skews, made up as they are read and always the same. The three tables share one sequence of events: a source's
 * position is a number in it, and the same `events` and `seed` in three sources make one whole.
 *
 * @example CREATE SOURCE bids WITH (connector = 'nexmark', events = 100000);
 */
export const nexmarkSource: SourceConnector = {
  name: 'nexmark',
  doc: 'The people, auctions and bids of the Nexmark benchmark, made up as they are read and always the same.',
  options,
  metadata: {
    offset: { types: ['BIGINT'], doc: "the row's number among those of its table, from 0", value: { kind: 'offset' } },
  },
  plan(declaration) {
    const kind = kindOf(declaration);
    const events = numberOf(declaration.options, 'events');
    const columns = project(declaration, tableOf(kind, clockOf(declaration.options)));
    const sequence: Sequence = {
      name: kind,
      from: 0,
      to: events,
      rate: numberOf(declaration.options, 'rate'),
      slice: slicer(kind, columns, numberOf(declaration.options, 'seed') ?? 1),
    };
    return {
      columns: columns.map(({ name, type }) => ({ name, type })),
      bounded: events !== undefined,
      strict: false,
      times: 'made up',
      nothingToRetain: 'nexmark makes the same events again whenever it is read',
      open: (context) => readSequence(sequence, context),
    };
  },
};

/** Positions are event numbers; offsets count the rows of the kind. */
const slicer =
  (kind: EventKind, columns: readonly ProjectedColumn[], seed: number): Sequence['slice'] =>
  (from, to) => {
    const [first, end] = [ordinalFrom(kind, from), ordinalFrom(kind, to)];
    return { run: { first, count: end - first }, sql: selectRows(kind, columns, seed, [first, end]) };
  };

function kindOf({ name, options: { table }, span }: SourceDeclaration): EventKind {
  const wanted = table ?? name.toLowerCase().replace(/s$/, '');
  const kind = EVENT_KINDS.find((known) => known === wanted);
  if (kind !== undefined) return kind;
  throw new StreamsqlError('OPTION', `nexmark source ${name} needs the option table`, {
    span,
    hint: `write table = 'bid', 'auction' or 'person', or name the source after one of them`,
  });
}

function tableOf(kind: EventKind, clock: EventClock): NexmarkTable {
  switch (kind) {
    case 'person':
      return personTable(clock);
    case 'auction':
      return auctionTable(clock);
    case 'bid':
      return bidTable(clock);
  }
}

const clockOf = (values: OptionValues): EventClock => ({
  eventsPerSecond: numberOf(values, 'events_per_second') ?? 10_000,
  disorderMs: Math.round(numberOf(values, 'disorder') ?? 0),
});

function numberOf(values: OptionValues, name: string): number | undefined {
  const value = values[name];
  return typeof value === 'number' ? value : undefined;
}
