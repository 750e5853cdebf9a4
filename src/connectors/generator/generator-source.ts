import type { SourceConnector, SourceDeclaration } from '../../base/connector.ts';
import { StreamsqlError } from '../../base/errors.ts';
import { ident, join, sql } from '../../base/sql.ts';
import { readSequence, type Sequence } from '../sequence-reader.ts';

/**
 * A row for each number `n` (BIGINT, from `start`), its columns computed from `n` and from the columns before them.
 *
 * `plan` has no DuckDB to ask, so the plan's columns have the type `''` and `computesColumns` is true: the host finds
 * the types by describing the columns' own SELECT over one `n`. The host also refuses expressions that are not a
 * function of the row, such as random(). An expression that fails for some `n` makes its chunk's SELECT fail.
 *
 * @example CREATE SOURCE g (i AS n, price AS n * 7 % 100) WITH (connector = 'generator', rate = 5000, rows = 100000);
 */
export const generatorSource: SourceConnector = {
  name: 'generator',
  doc: 'A row a tick, its columns computed from the sequence number n.',
  options: {
    rows: { tuning: true, type: 'integer', min: 0, doc: 'How many rows; without it, it never ends.' },
    rate: {
      tuning: true,
      type: 'integer',
      min: 1,
      doc: 'Rows a second of real time; by default as fast as they are read.',
    },
    start: { type: 'integer', min: 0, default: 0, doc: 'The first n.' },
  },
  metadata: { offset: { types: ['BIGINT'], doc: 'the number n of the row', value: { kind: 'offset' } } },
  plan(declaration) {
    checkColumns(declaration);
    const { rows, rate, start } = declaration.options;
    const from = typeof start === 'number' ? start : 0;
    const items = join(declaration.computed.map(({ name, expression }) => sql`${expression} AS ${ident(name)}`));
    const sequence: Sequence = {
      name: declaration.name,
      from,
      to: typeof rows === 'number' ? from + rows : undefined,
      rate: typeof rate === 'number' ? rate : undefined,
      slice: (first, end) => ({
        run: { first, count: end - first },
        sql: sql`SELECT ${items} FROM (SELECT range AS n FROM range(${first}, ${end}))`,
      }),
    };
    return {
      columns: declaration.computed.map(({ name }) => ({ name, type: '' })),
      computesColumns: true,
      bounded: sequence.to !== undefined,
      strict: false,
      times: 'made up',
      nothingToRetain: 'a generator makes the same rows again whenever it is read',
      open: (context) => readSequence(sequence, context),
    };
  },
};

function checkColumns({ name, columns, computed, span }: SourceDeclaration): void {
  const [typed] = columns;
  if (typed !== undefined) {
    throw new StreamsqlError(
      'BIND',
      `column ${typed.name} of generator ${name} has a type where an expression belongs`,
      {
        span,
        hint: `a generator computes its columns from n: write ${typed.name} AS CAST(n AS ${typed.type}), or any expression`,
      },
    );
  }
  if (computed.length > 0) return;
  throw new StreamsqlError('BIND', `generator ${name} has no columns`, {
    span,
    hint: `say how to compute them from the number n: CREATE SOURCE ${name} (i AS n, price AS n * 7 % 100) WITH (…)`,
  });
}
