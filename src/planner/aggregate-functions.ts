import type { AggregateMerge } from './plan-aggregate.ts';

/**
 * What each of DuckDB's aggregates allows.
 * - `merge`: partial results of disjoint sets of rows merge into that of their union.
 * - `rows`: it must see the rows, in any order.
 * - `ordered`: it must see the rows in a given order, for it picks among them or depends on the order.
 * An aggregate that is not listed here is refused: nothing is known of its meaning over a growing input.
 */
export type AggregateKind = 'merge' | 'rows' | 'ordered';

const KINDS: Readonly<Record<AggregateKind, readonly string[]>> = {
  merge: [
    'count', 'count_star', 'count_if', 'countif', 'sum', 'avg', 'mean', 'min', 'max', 'bool_and', 'bool_or',
    'bit_and', 'bit_or', 'bit_xor',
  ],
  rows: [
    'stddev', 'stddev_samp', 'stddev_pop', 'variance', 'var_samp', 'var_pop', 'sem', 'median', 'quantile',
    'quantile_cont', 'quantile_disc', 'mad', 'approx_count_distinct', 'entropy', 'kurtosis', 'kurtosis_pop',
    'skewness', 'corr', 'covar_pop', 'covar_samp', 'regr_avgx', 'regr_avgy', 'regr_count', 'regr_intercept',
    'regr_r2', 'regr_slope', 'regr_sxx', 'regr_sxy', 'regr_syy', 'histogram', 'histogram_exact', 'product', 'fsum',
    'kahan_sum', 'sumkahan', 'sum_no_overflow', 'favg', 'bitstring_agg',
  ],
  ordered: [
    'list', 'array_agg', 'string_agg', 'group_concat', 'listagg', 'first', 'last', 'any_value', 'arbitrary', 'mode',
    'arg_min', 'arg_max', 'argmin', 'argmax', 'min_by', 'max_by', 'arg_min_null', 'arg_max_null',
    'arg_min_nulls_last', 'arg_max_nulls_last', 'approx_quantile', 'approx_top_k',
  ],
}; // prettier-ignore

const BY_NAME = new Map(
  (Object.keys(KINDS) as AggregateKind[]).flatMap((kind) => KINDS[kind].map((name) => [name, kind] as const)),
);

export const aggregateKind = (name: string): AggregateKind | undefined => BY_NAME.get(name.toLowerCase());

/**
 * How a call without DISTINCT and ORDER BY merges. `argument` and `filter` are the input's columns as SQL, `types` the
 * argument's and the result's; undefined where this call must see its rows after all.
 */
export function mergeOf(
  call: { readonly name: string; readonly result: string; readonly resultType: string; readonly argumentType: string },
  argument: string | undefined,
  filter: string | undefined,
): AggregateMerge | undefined {
  const where = filter === undefined ? '' : ` FILTER (WHERE ${filter})`;
  const [first, second] = [`${call.result}_0`, `${call.result}_1`];
  const quote = (name: string): string => `"${name}"`;
  switch (call.name) {
    case 'count_star':
      return {
        partials: [{ name: first, sql: `count(*)${where}`, merge: 'sum' }],
        final: `CAST(${quote(first)} AS BIGINT)`,
      };
    case 'count':
      return {
        partials: [{ name: first, sql: `count(${argument ?? '*'})${where}`, merge: 'sum' }],
        final: `CAST(${quote(first)} AS BIGINT)`,
      };
    case 'count_if':
    case 'countif':
      return {
        partials: [{ name: first, sql: `count_if(${argument})${where}`, merge: 'sum' }],
        final: `CAST(${quote(first)} AS ${call.resultType})`,
      };
    case 'sum':
      if (!isNumeric(call.argumentType)) return undefined;
      return {
        partials: [{ name: first, sql: `sum(${argument})${where}`, merge: 'sum' }],
        final: `CAST(${quote(first)} AS ${call.resultType})`,
      };
    case 'avg':
    case 'mean':
      if (!isNumeric(call.argumentType)) return undefined;
      return {
        partials: [
          { name: first, sql: `sum(${argument})${where}`, merge: 'sum' },
          { name: second, sql: `count(${argument})${where}`, merge: 'sum' },
        ],
        final: `CASE WHEN ${quote(second)} > 0 THEN CAST(${quote(first)} AS DOUBLE) / ${quote(second)} END`,
      };
    case 'min':
    case 'max':
    case 'bool_and':
    case 'bool_or':
    case 'bit_and':
    case 'bit_or':
    case 'bit_xor':
      return {
        partials: [{ name: first, sql: `${call.name}(${argument})${where}`, merge: call.name }],
        final: `CAST(${quote(first)} AS ${call.resultType})`,
      };
    default:
      return undefined;
  }
}

/**
 * The same over rows with weights, `$n`: what a retracted row brought is taken back. Undefined where that is not exact: of
 * doubles, and where the result forgets (min, max, bool_and, …).
 */
export function mergeWeighted(
  call: { readonly name: string; readonly result: string; readonly resultType: string; readonly argumentType: string },
  argument: string | undefined,
  filter: string | undefined,
): AggregateMerge | undefined {
  const [first, second] = [`${call.result}_0`, `${call.result}_1`];
  const only = (...conditions: readonly (string | undefined)[]): string => {
    const held = conditions.filter((condition) => condition !== undefined);
    return held.length === 0 ? '' : ` FILTER (WHERE ${held.join(' AND ')})`;
  };
  const count = (...conditions: readonly (string | undefined)[]): string =>
    `coalesce(sum("$n")${only(...conditions)}, 0)`;
  const counted = (sql: string): AggregateMerge => ({
    partials: [{ name: first, sql, merge: 'sum' }],
    final: `CAST("${first}" AS ${call.resultType})`,
  });
  switch (call.name) {
    case 'count_star':
      return counted(count(filter));
    case 'count':
      return counted(argument === undefined ? count(filter) : count(`${argument} IS NOT NULL`, filter));
    case 'count_if':
    case 'countif':
      // It is a sum: NULL where there is no row.
      return {
        partials: [
          { name: first, sql: count(argument, filter), merge: 'sum' },
          { name: second, sql: count(filter), merge: 'sum' },
        ],
        final: `CASE WHEN "${second}" > 0 THEN CAST("${first}" AS ${call.resultType}) END`,
      };
    case 'sum':
    case 'avg':
    case 'mean': {
      if (argument === undefined || !/^(U?(TINY|SMALL|BIG)?INT|U?INTEGER|BOOLEAN)$/.test(call.argumentType)) return undefined; // prettier-ignore
      const total = `CAST("${first}" AS ${call.name === 'sum' ? call.resultType : 'DOUBLE'})`;
      return {
        partials: [
          { name: first, sql: `coalesce(sum(CAST(${argument} AS HUGEINT) * "$n")${only(filter)}, 0)`, merge: 'sum' },
          { name: second, sql: count(`${argument} IS NOT NULL`, filter), merge: 'sum' },
        ],
        final: `CASE WHEN "${second}" > 0 THEN ${total}${call.name === 'sum' ? '' : ` / "${second}"`} END`,
      };
    }
    default:
      return undefined;
  }
}

/** Types whose sums merge exactly, or within the error stated for doubles. */
function isNumeric(type: string): boolean {
  return /^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|UINTEGER|DECIMAL|FLOAT|DOUBLE|BOOLEAN)/.test(type);
}
