import { sameName } from '../base/schema.ts';
import { columnPath, columnRef, replace, walk, type AstNode, type Expression, type Json } from './ast.ts';
import type { PlanColumn, PlanNode } from './plan.ts';

/** A relation of a FROM clause that names can refer to. `input` is set where it is a node of the plan. */
export interface Relation {
  readonly alias: string;
  readonly columns: readonly PlanColumn[];
  readonly input: { readonly placeholder: string; readonly node: PlanNode } | undefined;
  /** Columns that a bare `*` leaves out, since a USING merged them into the left side's. */
  readonly merged: ReadonlySet<string>;
  /** Columns of a RIGHT or FULL JOIN … USING: where a bare `*` finds what both sides were merged into. */
  readonly using?: ReadonlyMap<string, string> | undefined;
  /** The relation that holds this one's columns, and under which names; where one node stands for several relations. */
  readonly within?: { readonly relation: Relation; readonly names: readonly (string | undefined)[] } | undefined;
  /** Named by no star: its columns stand among those of others already. */
  readonly starless?: boolean | undefined;
  /** A subquery's: its columns are found with its alias alone. */
  readonly qualifiedOnly?: boolean | undefined;
  /** Not the user's: found by its alias alone. */
  readonly hidden?: boolean | undefined;
}

/** What a column reference means: a column of a relation, and then fields of a struct. */
export interface Resolved {
  readonly relation: Relation;
  readonly column: PlanColumn;
  readonly fields: readonly string[];
}

export class Scope {
  readonly relations: readonly Relation[];

  constructor(relations: readonly Relation[]) {
    this.relations = relations;
  }

  /** As DuckDB resolves: `table.column` before `column.field`; undefined where it is no column here, or ambiguous. */
  resolve(path: readonly string[]): Resolved | undefined {
    const found = this.find(path);
    return found === undefined ? undefined : held(found);
  }

  /** As `resolve`, but in the user's own relation, where another holds its columns. */
  find(path: readonly string[]): Resolved | undefined {
    const [first, second] = path;
    if (first === undefined) return undefined;
    if (second !== undefined) {
      const relation = this.relations.find((candidate) => sameName(candidate.alias, first));
      const column = relation?.columns.find((candidate) => sameName(candidate.name, second));
      if (relation !== undefined && column !== undefined) return { relation, column, fields: path.slice(2) };
    }
    const matches = this.relations
      .filter((relation) => relation.hidden !== true && relation.qualifiedOnly !== true)
      .flatMap((relation) =>
        relation.columns
          .filter((column) => sameName(column.name, first) && !relation.merged.has(first.toLowerCase()))
          .map((column) => ({ relation, column, fields: path.slice(1) })),
      );
    const [match] = matches;
    return matches.length === 1 ? match : undefined;
  }

  /** The time attribute of an expression that is a plain column; undefined for all others. */
  plainColumn(expression: Expression | undefined): Resolved | undefined {
    if (expression === undefined || expression.type !== 'COLUMN_REF') return undefined;
    const resolved = this.resolve(columnPath(expression));
    return resolved !== undefined && resolved.fields.length === 0 ? resolved : undefined;
  }

  /** The same expression with every column reference spelled `alias.column…`, so that equal things look equal. */
  qualify<T extends Json>(expression: T): T {
    return this.qualifyWithin(expression, new Set()) as T;
  }

  private qualifyWithin(expression: Json, bound: ReadonlySet<string>): Json {
    return replace(expression, (node) => {
      if (node['class'] === 'LAMBDA') {
        const inner = new Set([...bound, ...lambdaParameters(node)]);
        return { ...node, expr: this.qualifyWithin(node['expr'] ?? null, inner) };
      }
      const path = columnPath(node);
      if (path[0] === undefined || bound.has(path[0].toLowerCase())) return path.length > 0 ? node : undefined;
      const resolved = this.resolve(path);
      if (resolved === undefined) return this.wholeRow(path, node) ?? node;
      const full = columnRef(resolved.relation.alias, resolved.column.name, ...resolved.fields);
      return { ...full, alias: node['alias'] ?? '', query_location: node['query_location'] ?? 0 };
    });
  }

  /** A relation by its name alone: its row, without what is hidden in it. */
  private wholeRow(path: readonly string[], node: AstNode): AstNode | undefined {
    const [name, more] = path;
    if (name === undefined || more !== undefined) return undefined;
    const relation = this.relations.find((other) => other.hidden !== true && sameName(other.alias, name));
    if (relation === undefined) return undefined;
    const children = relation.columns.map((column) => ({
      ...this.qualify(columnRef(relation.alias, column.name)),
      alias: column.name,
    }));
    return {
      class: 'FUNCTION', type: 'FUNCTION', alias: node['alias'] ?? '', query_location: node['query_location'] ?? 0,
      function_name: 'struct_pack', schema: '', children, filter: null,
      order_bys: { type: 'ORDER_MODIFIER', orders: [] }, distinct: false, is_operator: false, export_state: false, catalog: '',
    }; // prettier-ignore
  }

  /** Which columns of which relations an expression (already qualified) reads. */
  reads(expression: Json): readonly Resolved[] {
    const found: Resolved[] = [];
    walk(expression, (node) => {
      const resolved = this.resolve(columnPath(node));
      if (resolved !== undefined) found.push(resolved);
    });
    return found;
  }
}

/** The column where it really is. */
function held(resolved: Resolved): Resolved | undefined {
  const { within } = resolved.relation;
  if (within === undefined) return resolved;
  const name = within.names[resolved.relation.columns.indexOf(resolved.column)];
  const column = within.relation.columns.find((candidate) => candidate.name === name);
  return column === undefined ? undefined : { relation: within.relation, column, fields: resolved.fields };
}

export function lambdaParameters(node: AstNode): readonly string[] {
  const names: string[] = [];
  walk(node['lhs'] ?? null, (inner) => {
    const [name] = columnPath(inner);
    if (name !== undefined) names.push(name.toLowerCase());
  });
  return names;
}
