import type { Column, Type } from './node.ts';
import type { Random } from './random.ts';

/** Columns as an expression names them. */
export interface Reference {
  readonly text: string;
  readonly type: Type;
}

/** The columns of a relation under an alias; at times without it, where that is clear. */
export const references = (alias: string, columns: readonly Column[]): readonly Reference[] =>
  columns.map(({ name, type }) => ({ text: `${alias}.${name}`, type }));

/** Types that may be compared: not those doubles that depend on the order of addition. */
export const COMPARABLE = ['num', 'str', 'dbl', 'bool', 'ts', 'list', 'struct'] as const satisfies readonly Type[];

export const exact = (columns: readonly Column[]): readonly Column[] => columns.filter(({ type }) => type !== 'apx');

const LITERALS: Readonly<Record<Type, readonly string[]>> = {
  num: ['0', '1', '2', '-3', '7', 'NULL::INTEGER'],
  str: ["'a'", "'b'", "''", "'x y'", 'NULL::VARCHAR'],
  dbl: ['0.5::DOUBLE', '-0.0::DOUBLE', "'NaN'::DOUBLE", '2::DOUBLE', 'NULL::DOUBLE'],
  apx: ['0.25::DOUBLE'],
  bool: ['true', 'false', 'NULL::BOOLEAN'],
  ts: ["TIMESTAMP '2023-11-14 22:13:25'", 'NULL::TIMESTAMP'],
  list: ['[1, 2]', '[]::INTEGER[]', '[NULL, 3]', 'NULL::INTEGER[]'],
  struct: ["{'a': 1, 'b': 'x'}", "{'a': NULL::INTEGER, 'b': 'y'}"],
};

/** The plainest value of a type; what a shrunk expression becomes. */
export const plainest = (type: Type): string => LITERALS[type][0] ?? 'NULL';

/**
 * Draws an expression of a type over `scope`. None of them fails on any row, and none tells rows apart that compare as
 * equal (0.0 and -0.0).
 */
export class Expressions {
  private readonly random: Random;
  private readonly scope: readonly Reference[];

  constructor(random: Random, scope: readonly Reference[]) {
    this.random = random;
    this.scope = scope;
  }

  /** A column of the type, if there is one. */
  column(type: Type): string | undefined {
    return this.random.maybe(this.scope.filter((reference) => reference.type === type))?.text;
  }

  of(type: Type, depth = 2): string {
    const { random } = this;
    const column = this.column(type);
    if (column !== undefined && (depth <= 0 || random.int(1, 5) <= 2)) return column;
    if (depth <= 0) return this.leaf(type);
    if (random.oneIn(8)) return this.anyType(type, depth - 1);
    switch (type) {
      case 'num':
        return this.number(depth - 1);
      case 'str':
        return this.string(depth - 1);
      case 'dbl':
        return this.double(depth - 1);
      case 'apx':
        return column ?? this.double(depth - 1);
      case 'bool':
        return this.condition(depth - 1);
      case 'ts':
        return this.time(depth - 1);
      case 'list':
        return this.list(depth - 1);
      case 'struct':
        return this.struct(depth - 1);
    }
  }

  /** A condition that reads a column where there is any. */
  condition(depth = 2): string {
    const { random } = this;
    if (depth > 0 && random.oneIn(3)) {
      return random.weighted<() => string>([
        [3, () => `(${this.condition(depth - 1)} AND ${this.condition(depth - 1)})`],
        [3, () => `(${this.condition(depth - 1)} OR ${this.condition(depth - 1)})`],
        [1, () => `NOT (${this.condition(depth - 1)})`],
      ])();
    }
    const subject = random.maybe(this.scope.filter(({ type }) => type !== 'apx'));
    const type = subject?.type ?? 'num';
    const left = subject?.text ?? this.leaf('num');
    const comparison = random.pick(['=', '<>', '<', '<=', '>', '>=', 'IS DISTINCT FROM', 'IS NOT DISTINCT FROM']);
    const general: (readonly [number, () => string])[] = [
      [5, () => `${left} ${comparison} ${this.of(type, depth - 1)}`],
      [1, () => `${left} IS NULL`],
      [2, () => `${left} IS NOT NULL`],
      [1, () => `${left} IN (${this.leaf(type)}, ${this.leaf(type)})`],
    ];
    if (type === 'num') {
      general.push(
        [2, () => `${left} % 2 = 0`],
        [2, () => `${left} > ${random.int(-3, 3)}`],
        [1, () => `${left} BETWEEN ${random.int(-4, 1)} AND ${random.int(0, 4)}`],
        [1, () => `${left} NOT IN (1, 2)`],
      );
    }
    if (type === 'str') general.push([2, () => `${left} LIKE '${random.pick(['a%', '%b', '_', '%'])}'`], [1, () => `${left} <> ''`]); // prettier-ignore
    if (type === 'bool') general.push([4, () => left]);
    if (type === 'list') general.push([2, () => `list_contains(${left}, ${random.int(0, 3)})`], [1, () => `len(${left}) > 1`]); // prettier-ignore
    return `(${random.weighted(general)()})`;
  }

  private leaf(type: Type): string {
    return this.random.pick(LITERALS[type]);
  }

  private anyType(type: Type, depth: number): string {
    return this.random.weighted<() => string>([
      [2, () => `CASE WHEN ${this.condition(depth)} THEN ${this.of(type, depth)} ELSE ${this.of(type, depth)} END`],
      [2, () => `coalesce(${this.of(type, depth)}, ${this.leaf(type)})`],
      [1, () => `CASE WHEN ${this.condition(depth)} THEN ${this.of(type, depth)} END`],
      [1, () => `nullif(${this.of(type, depth)}, ${this.leaf(type)})`],
    ])();
  }

  private number(depth: number): string {
    const { random } = this;
    const choices: (readonly [number, () => string])[] = [
      [3, () => `(${this.of('num', depth)} + ${this.of('num', depth)})`],
      [2, () => `(${this.of('num', depth)} - ${this.of('num', depth)})`],
      [1, () => `((${this.of('num', depth)} % 100) * (${this.of('num', depth)} % 100))`],
      [3, () => `(${this.of('num', depth)} % ${random.int(2, 5)})`],
      [1, () => `(${this.of('num', depth)} // ${this.of('num', depth)})`],
      [1, () => `abs(${this.of('num', depth)})`],
      [1, () => `greatest(${this.of('num', depth)}, ${this.of('num', depth)})`],
      [1, () => `length(${this.of('str', depth)})`],
      [1, () => `CAST(${this.condition(depth)} AS INTEGER)`],
      [1, () => `TRY_CAST(${this.of('str', depth)} AS INTEGER)`],
      [1, () => `list_sum(list_transform(${this.of('list', depth)}, lambda e : e + coalesce(${this.of('num', depth)}, 0)))`],
      [1, () => `len(${this.of('list', depth)})`],
      [1, () => `(${this.of('list', depth)})[${random.int(1, 2)}]`],
      [1, () => `(${this.of('struct', depth)}).a`],
    ]; // prettier-ignore
    if (this.column('ts') !== undefined) choices.push([2, () => `(epoch(${this.of('ts', 0)})::BIGINT % ${random.pick([3, 7, 60])})`]); // prettier-ignore
    return random.weighted(choices)();
  }

  private string(depth: number): string {
    return this.random.weighted<() => string>([
      [2, () => `substr(${this.of('str', depth)} || ${this.of('str', depth)}, 1, 4)`],
      [1, () => `upper(${this.of('str', depth)})`],
      [2, () => `CAST(${this.of('num', depth)} AS VARCHAR)`],
      [1, () => `concat(substr(${this.of('str', depth)}, 1, 2), ${this.of('num', depth)})`],
      [1, () => `(${this.of('struct', depth)}).b`],
      [1, () => `CAST(json_object('n', ${this.of('num', depth)}) AS VARCHAR)`],
      [1, () => `(MAP {'a': ${this.of('str', depth)}, 'b': 'z'})[${this.of('str', depth)}]`],
    ])();
  }

  private double(depth: number): string {
    return this.random.weighted<() => string>([
      [2, () => `(${this.of('dbl', depth)} * 2)`],
      [1, () => `(${this.of('dbl', depth)} + 1)`],
      [1, () => `-(${this.of('dbl', depth)})`],
      [2, () => `CAST((${this.of('num', depth)}) % 1000 AS DOUBLE)`],
      [1, () => this.leaf('dbl')],
    ])();
  }

  private time(depth: number): string {
    return this.random.weighted<() => string>([
      [2, () => `(${this.of('ts', depth)} + INTERVAL '${this.random.int(1, 9)} seconds')`],
      [2, () => `date_trunc('minute', ${this.of('ts', depth)})`],
      [1, () => this.leaf('ts')],
    ])();
  }

  private list(depth: number): string {
    return this.random.weighted<() => string>([
      [3, () => `[${this.of('num', depth)}, ${this.of('num', depth)}]`],
      [1, () => `list_filter(${this.of('list', depth)}, lambda e : e > ${this.random.int(-2, 2)})`],
      [1, () => `list_transform(${this.of('list', depth)}, lambda e : e + 1)`],
      [1, () => `list_sort(${this.of('list', depth)})`],
      [1, () => `[e + 1 FOR e IN (${this.of('list', depth)}) IF e IS NOT NULL]`],
      [1, () => `range(0, CAST(abs(${this.of('num', depth)}) % 4 AS BIGINT))`],
      [1, () => this.leaf('list')],
    ])();
  }

  private struct(depth: number): string {
    return this.random.weighted<() => string>([
      [3, () => `{'a': ${this.of('num', depth)}, 'b': ${this.of('str', depth)}}`],
      [1, () => `struct_pack(a := ${this.of('num', depth)}, b := ${this.of('str', depth)})`],
      [1, () => this.leaf('struct')],
    ])();
  }
}
