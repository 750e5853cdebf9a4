import type { Aggregate, BlockInput, BlockNode, Item, Relation, View, WindowNode } from './relation.ts';
import type { LawSource } from './law-case.ts';
import { quoted } from './values.ts';

/** The engine's own text of a case. */
export function printScript(sources: readonly LawSource[], views: readonly View[]): string {
  return [...sources.map(printSource), ...views.map(printView)].join('\n');
}

function printSource(source: LawSource): string {
  const columns = source.columns.map((column) => `${quoted(column.name)} ${column.type}`);
  if (source.eventTime !== undefined) {
    const time = quoted(source.eventTime.column);
    const delay = source.eventTime.delayMs === 0 ? '' : ` - ${interval(source.eventTime.delayMs)}`;
    columns.push(`WATERMARK FOR ${time} AS ${time}${delay}`);
  }
  return `CREATE SOURCE ${source.name} (${columns.join(', ')}) WITH (connector = 'feed');`;
}

function printView(view: View): string {
  const ctes: string[] = [];
  const query = new Printer(ctes).query(view.relation);
  const emit = view.emit === 'on-window-close' ? '\nEMIT ON WINDOW CLOSE' : '';
  const head = view.materialized ? 'CREATE MATERIALIZED VIEW' : 'CREATE VIEW';
  const withs = ctes.length === 0 ? '' : `WITH ${ctes.join(',\n')}\n`;
  return `${head} ${view.name} AS\n${withs}${query}${emit};`;
}

/** Milliseconds as an interval, in one spelling or another. */
export function interval(ms: number): string {
  if (ms % 1000 !== 0) return `INTERVAL '${ms} milliseconds'`;
  return ms % 3000 === 0 ? `INTERVAL '${ms / 1000}' SECOND` : `INTERVAL '${ms / 1000} seconds'`;
}

class Printer {
  private readonly ctes: string[];

  constructor(ctes: string[]) {
    this.ctes = ctes;
  }

  query(relation: Relation): string {
    const { node } = relation;
    switch (node.kind) {
      case 'union':
        return node.inputs.map((input) => this.query(input)).join('\nUNION ALL\n');
      case 'block':
        return this.block(node);
      default:
        return `SELECT * FROM ${this.relation(relation, false)}`;
    }
  }

  /** As it stands in FROM, without an alias. */
  private relation(relation: Relation, cte: boolean): string {
    const { node } = relation;
    switch (node.kind) {
      case 'source':
      case 'named':
        return node.name;
      case 'static':
        return `(VALUES ${node.values})`;
      case 'window':
        return this.window(node, cte);
      default: {
        if (!cte) return `(${this.query(relation)})`;
        const query = this.query(relation);
        const name = `cte${this.ctes.length}`;
        this.ctes.push(`${name} AS (${query})`);
        return name;
      }
    }
  }

  private window(node: WindowNode, cte: boolean): string {
    const data = this.relation(node.input, cte);
    const sizes = node.shape === 'HOP' ? [node.slide, node.size] : [node.size];
    const last = sizes.map(interval).join(', ');
    if (node.spelling === 'positional' || data.startsWith('('))
      return `${node.shape}(${data}, ${quoted(node.column)}, ${last})`;
    return `TABLE(${node.shape}(TABLE ${data}, DESCRIPTOR(${quoted(node.column)}), ${last}))`;
  }

  private block(node: BlockNode): string {
    const byFunction = node.group?.spelling === 'window-function' ? windowFunction(node) : undefined;
    const fix = (text: string): string => byFunction?.fix(text) ?? text;
    const where = node.where.map((condition) => fix(condition.text));
    const select = node.star ? '*' : node.items.map((item) => printItem(item, fix)).join(', ');
    const lines = [`SELECT ${select}`, `FROM ${this.from(node, byFunction !== undefined, where)}`];
    if (where.length > 0) lines.push(`WHERE ${where.join(' AND ')}`);
    if (node.group !== undefined) {
      const { keys, having } = node.group;
      const plain = byFunction === undefined ? keys : [byFunction.call, ...keys.filter((key) => fix(key) === key)];
      if (node.group.spelling === 'all') lines.push('GROUP BY ALL');
      else if (plain.length > 0) lines.push(`GROUP BY ${plain.join(', ')}`);
      if (having !== undefined) lines.push(`HAVING ${printAggregate(having.call)} ${having.test}`);
    }
    return lines.join('\n');
  }

  private from(node: BlockNode, unwindowed: boolean, where: string[]): string {
    const inputs = node.inputs.map((input) => this.input(input, unwindowed));
    let from = inputs[0] ?? '';
    for (const next of inputs.slice(1)) {
      const on = node.joined ? where.shift() : undefined;
      from += on === undefined ? `${node.joined ? ' CROSS JOIN ' : ', '}${next}` : `\n  JOIN ${next} ON ${on}`;
    }
    return node.unnest === undefined ? from : `${from}, UNNEST(${node.unnest.list}) AS ${node.unnest.alias}(x)`;
  }

  private input(input: BlockInput, unwindowed: boolean): string {
    const { node } = input.relation;
    const bare = unwindowed && node.kind === 'window' ? node.input : input.relation;
    const columns = node.kind === 'static' ? `(${input.relation.columns.map((column) => column.name).join(', ')})` : '';
    return `${this.relation(bare, input.cte)} AS ${input.alias}${columns}`;
  }
}

/** The grouping form: GROUP BY TUMBLE(ts, size), TUMBLE_START(ts, size). */
function windowFunction(node: BlockNode): { call: string; fix(text: string): string } {
  const input = node.inputs.find((candidate) => candidate.relation.node.kind === 'window');
  const window = input?.relation.node;
  if (input === undefined || window?.kind !== 'window') throw new Error('no window to group by');
  const sizes = window.shape === 'HOP' ? [window.slide, window.size] : [window.size];
  const rest = `(${input.alias}.${quoted(window.column)}, ${sizes.map(interval).join(', ')})`;
  return {
    call: `${window.shape}${rest}`,
    fix: (text) =>
      text
        .replaceAll(`${input.alias}.window_start`, () => `${window.shape}_START${rest}`)
        .replaceAll(`${input.alias}.window_end`, () => `${window.shape}_END${rest}`),
  };
}

function printItem(item: Item, fix: (text: string) => string): string {
  const text = typeof item.expression === 'string' ? fix(item.expression) : printAggregate(item.expression);
  return `${text} AS ${quoted(item.name)}`;
}

export function printAggregate(call: Aggregate): string {
  const distinct = call.distinct ? 'DISTINCT ' : '';
  const order = call.orderBy === undefined ? '' : ` ORDER BY ${call.orderBy}`;
  const filter = call.filter === undefined ? '' : ` FILTER (WHERE ${call.filter})`;
  return `${call.name}(${distinct}${[...call.arguments, ...call.constants].join(', ')}${order})${filter}`;
}
