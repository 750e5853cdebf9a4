import type { SourceConnector } from '../base/connector.ts';
import { StreamsqlError } from '../base/errors.ts';
import type { DeclaredMetadata, RecordColumn } from '../base/metadata.ts';
import { nearest } from '../base/options.ts';
import type { Column } from '../base/schema.ts';
import { ident, raw, sql } from '../base/sql.ts';
import type { ColumnDefinition, MappedText } from '../parser/statements.ts';
import { declaredName } from './changes-reading.ts';
import type { ChangelogNode, PlacedColumn, SourceNode } from './plan-sources.ts';
import type { SqlService } from './sql-service.ts';

type Definition = ColumnDefinition & { readonly kind: 'metadata' };

/** The METADATA columns of a source. */
export interface Metadata {
  readonly declared: readonly DeclaredMetadata[];
  /** Those that the records carry, and those that follow from where a record stands. */
  readonly carried: readonly RecordColumn[];
  readonly placed: readonly PlacedColumn[];
}

/** Each metadata column against what the connector has: the key, then the type. `typeOf` describes a declared type. */
export async function readMetadata(
  connector: Pick<SourceConnector, 'name' | 'metadata'>,
  columns: readonly ColumnDefinition[],
  typeOf: (name: string, type: MappedText) => Promise<string>,
): Promise<Metadata> {
  const declared: DeclaredMetadata[] = [];
  const carried: RecordColumn[] = [];
  const placed: PlacedColumn[] = [];
  for (const column of columns.filter((each) => each.kind === 'metadata')) {
    const key = keyOf(connector, column);
    const name = column.name.text;
    const type = await typeOf(name, column.type);
    const { types, value } = connector.metadata?.[key] ?? { types: [], value: undefined };
    if (value === undefined || !types.includes(type)) {
      throw new StreamsqlError('BIND', `the metadata '${key}' is no ${type}`, {
        span: column.type.span,
        hint: `a column of it is ${orOf(types)}; for another type add a computed column, such as x AS CAST(${name} AS …)`,
      });
    }
    declared.push({ name, type, key, span: column.from.span });
    if (value.kind === 'member') carried.push({ name, type, key, member: value.of(type) });
    else placed.push({ name, type, key, value });
  }
  return { declared, carried, placed };
}

function keyOf({ name, metadata = {} }: Pick<SourceConnector, 'name' | 'metadata'>, { from }: Definition): string {
  const known = Object.keys(metadata);
  if (known.includes(from.text)) return from.text;
  const near = nearest(from.text, known);
  const hint =
    known.length === 0
      ? 'it has no metadata'
      : near === undefined
        ? `there is ${orOf(known.map((key) => `'${key}'`))}: write name TYPE METADATA FROM 'key'`
        : `did you mean '${near}'?`;
  throw new StreamsqlError('BIND', `the ${name} source has no metadata '${from.text}'`, { span: from.span, hint });
}

const orOf = (words: readonly string[]): string =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1) ?? ''}`;

/** DuckDB's spelling of a declared type. */
export async function describedType(service: SqlService, name: string, type: MappedText): Promise<string> {
  const [described] = await service.describe(sql`SELECT CAST(NULL AS ${raw(type.text)}) AS ${ident(name)}`);
  return described?.type ?? '';
}

/** What DESCRIBE says of metadata columns, by name. */
export function metadataOf(node: SourceNode | ChangelogNode): ReadonlyMap<string, string> {
  const { physical, placed = [] } = node.kind === 'changelog' ? node.input : node;
  const columns = [...physical, ...placed].flatMap(({ name, key }) =>
    key === undefined ? [] : [[name, key] as const],
  );
  return new Map(columns.map(([name, key]) => [declaredName(name), `METADATA FROM '${key}'`]));
}

export const columnsOf = ({ carried, placed }: Metadata): readonly Column[] => [...carried, ...placed];
