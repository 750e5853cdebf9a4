import type { Aggregate, BlockInput, BlockNode, Relation, WindowNode } from './relation.ts';
import { quoted } from './values.ts';

/**
 * The same query for plain DuckDB, over all rows accepted so far. Every relation carries hidden columns: "$i0"… tell its
 * rows apart and order them by arrival; a source's own rows also "$src", "$p", "$o" and "$wm".
 */
export function printOracle(relation: Relation): string {
  const names = relation.columns.map((column) => quoted(column.name)).join(', ');
  return `SELECT ${names} FROM (${rows(relation)})`;
}

const OWN = ['"$src"', '"$p"', '"$o"', '"$wm"'];

function rows(relation: Relation): string {
  const { node } = relation;
  switch (node.kind) {
    case 'source': {
      const columns = relation.columns.map((column) => quoted(column.name)).join(', ');
      return `SELECT ${columns}, "$p" AS "$i0", "$o" AS "$i1", '${node.name}' AS "$src", "$p", "$o", "$wm" FROM raw_${node.name} WHERE "$e" <= {{e}}`;
    }
    case 'named':
      return rows(node.definition);
    case 'static':
      return `SELECT * FROM (VALUES ${node.values}) AS t(${relation.columns.map((column) => column.name).join(', ')})`;
    case 'union':
      return node.inputs.map((input, branch) => unionBranch(relation, input, branch)).join(' UNION ALL ');
    case 'window':
      return windowRows(relation, node);
    case 'block':
      return node.group === undefined ? plainBlock(relation, node) : groupedBlock(node);
  }
}

function unionBranch(union: Relation, input: Relation, branch: number): string {
  const visible = union.columns.map((column, i) => `${quoted(input.columns[i]?.name ?? '')} AS ${quoted(column.name)}`);
  const identity = Array.from(
    { length: union.identity - 1 },
    (_, i) => `${i < input.identity ? `"$i${i}"` : 'NULL'} AS "$i${i + 1}"`,
  );
  const own = union.transparent ? OWN : [];
  return `SELECT ${[...visible, `${branch} AS "$i0"`, ...identity, ...own].join(', ')} FROM (${rows(input)})`;
}

/** Windows [k · slide, k · slide + size) since 1970-01-01 UTC, in integers of microseconds. */
function windowRows(relation: Relation, node: WindowNode): string {
  const [slide, size] = [node.slide * 1000, node.size * 1000];
  const type = node.input.columns.find((column) => column.name === node.column)?.type ?? '';
  const make = type === 'TIMESTAMPTZ' ? 'make_timestamptz' : 'make_timestamp';
  const time = `epoch_us(r.${quoted(node.column)})`;
  const floor = (value: string): string => `(${value} - ((${value}) % ${slide} + ${slide}) % ${slide})`;
  const first = `${floor(`(${time} - ${size})`)} + ${slide}`;
  const starts = `UNNEST(range(${first}, ${floor(time)} + ${slide}, ${slide})) AS u(s)`;
  const at = (shift: number): string => `${make}((s + ${shift})::BIGINT)`;
  return `SELECT r.*, ${at(0)} AS window_start, ${at(size)} AS window_end, ${at(size - 1000)} AS window_time,
    s AS "$i${relation.identity - 1}" FROM (${rows(node.input)}) AS r, ${starts}`;
}

function from(node: BlockNode): string {
  const inputs = node.inputs.map((input) => `(${rows(input.relation)}) AS ${input.alias}`).join(', ');
  return node.unnest === undefined ? inputs : `${inputs}, UNNEST(${node.unnest.list}) AS ${node.unnest.alias}(x)`;
}

/** What a row of an input must be to count: judged on the record alone, against its partition's own watermark. */
function accepted(input: BlockInput): string | undefined {
  const { judged, alias } = input;
  if (judged?.time === undefined) return undefined;
  const column = `${alias}.${quoted(judged.name)}`;
  const test =
    judged.time.window === undefined
      ? `${column} >= ${alias}."$wm"`
      : `${column} + to_milliseconds(${judged.time.trail}) > ${alias}."$wm"`;
  return `(${alias}."$wm" IS NULL OR ${test})`;
}

function conditions(node: BlockNode): string {
  const all = [...node.where.map((condition) => condition.text), ...node.inputs.flatMap((input) => accepted(input) ?? [])];
  return all.length === 0 ? 'true' : all.map((condition) => `(${condition})`).join(' AND ');
}

/** The identity columns of a block's inputs, in the order of FROM. */
const identityOf = (node: BlockNode): readonly string[] =>
  node.inputs.flatMap((input) =>
    Array.from({ length: input.relation.identity }, (_, i) => `${input.alias}."$i${i}"`),
  );

function plainBlock(relation: Relation, node: BlockNode): string {
  const items = node.items.map((item) => `${scalar(item.expression)} AS ${quoted(item.name)}`);
  const identity = identityOf(node).map((column, i) => `${column} AS "$i${i}"`);
  const own = node.inputs.find((input) => input.relation.transparent);
  const hidden = relation.transparent && own !== undefined ? OWN.map((column) => `${own.alias}.${column}`) : [];
  return `SELECT ${[...items, ...identity, ...hidden].join(', ')} FROM ${from(node)} WHERE ${conditions(node)}`;
}

function groupedBlock(node: BlockNode): string {
  const { group } = node;
  if (group === undefined) throw new Error('not grouped');
  const identity = identityOf(node);
  const keys = group.keys.map((key, i) => `${key} AS "$i${i}"`);
  const items = node.items.map((item) => {
    const text = typeof item.expression === 'string' ? item.expression : printCall(item.expression, identity);
    return `${text} AS ${quoted(item.name)}`;
  });
  const sources = node.inputs.flatMap((input) => input.relation.sources);
  const closed =
    group.emit === 'on-window-close' && group.close !== undefined
      ? ` AND ${group.close.key} <= {{w ${[...new Set(sources)].join(' ')} - ${group.close.trail}}}`
      : '';
  const grouping = group.keys.length === 0 ? '' : ` GROUP BY ${group.keys.join(', ')}`;
  const having = group.having === undefined ? '' : ` HAVING ${printCall(group.having.call, identity)} ${group.having.test}`;
  return `SELECT ${[...items, ...keys].join(', ')} FROM ${from(node)} WHERE ${conditions(node)}${closed}${grouping}${having}`;
}

function printCall(call: Aggregate, identity: readonly string[]): string {
  const total = call.distinct ? call.arguments : [...identity, ...call.arguments];
  const ordered = call.ordered || call.orderBy !== undefined;
  const orders = ordered
    ? [...(call.orderBy === undefined ? [] : [call.orderBy]), ...total.map((column) => `${column} ASC NULLS LAST`)]
    : [];
  const order = orders.length === 0 ? '' : ` ORDER BY ${orders.join(', ')}`;
  const filter = call.filter === undefined ? '' : ` FILTER (WHERE ${call.filter})`;
  const list = [...call.arguments, ...call.constants].join(', ');
  return `${call.name}(${call.distinct ? 'DISTINCT ' : ''}${list}${order})${filter}`;
}

function scalar(expression: string | Aggregate): string {
  if (typeof expression !== 'string') throw new Error('an aggregate outside a grouped block');
  return expression;
}

/**
 * (source, partition, offset, partly) of the rows that the blocks of a view refuse. What feeds it from another
 * materialized view (`counted`) was counted there.
 */
export function printLate(relation: Relation, counted: ReadonlySet<string>): string | undefined {
  const found = lateOf(relation, counted);
  return found.length === 0 ? undefined : [...new Set(found)].join(' UNION ');
}

function lateOf(relation: Relation, counted: ReadonlySet<string>): readonly string[] {
  const { node } = relation;
  switch (node.kind) {
    case 'source':
    case 'static':
      return [];
    case 'named':
      return counted.has(node.name) ? [] : lateOf(node.definition, counted);
    case 'union':
      return node.inputs.flatMap((input) => lateOf(input, counted));
    case 'window':
      return lateOf(node.input, counted);
    case 'block':
      return [
        ...node.inputs.flatMap((input) => lateOf(input.relation, counted)),
        ...node.inputs.flatMap((input, i) => refused(node, input, i) ?? []),
      ];
  }
}

/** The rows of one input that the block would have read and refuses. */
function refused(node: BlockNode, input: BlockInput, index: number): string | undefined {
  const test = accepted(input);
  if (test === undefined) return undefined;
  const streams = node.inputs.filter((candidate) => candidate.relation.sources.length > 0);
  const alone = streams.length > 1;
  const applied = node.where.filter((condition) => !alone || condition.inputs.every((read) => read === index));
  const where = applied.length === 0 ? '' : ` WHERE ${applied.map((condition) => `(${condition.text})`).join(' AND ')}`;
  const relations = alone ? `(${rows(input.relation)}) AS ${input.alias}` : from(node);
  const own = ['"$src"', '"$p"', '"$o"'].map((column) => `${input.alias}.${column}`).join(', ');
  return `SELECT ${own}, bool_or(${test}) AS partly FROM ${relations}${where} GROUP BY ${own} HAVING NOT bool_and(${test})`;
}
