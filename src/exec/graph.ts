import { StreamsqlError, unreachable } from '../base/errors.ts';
import { inOrder, inputsOf, rootsOf, streaming, type Plan, type PlanNode } from '../planner/plan.ts';
import { AggregateOperator } from './operators/aggregate.ts';
import { ChangelogOperator } from './operators/changelog.ts';
import { CoalesceOperator } from './operators/coalesce.ts';
import { CogroupOperator } from './operators/cogroup.ts';
import { GateOperator } from './operators/gate.ts';
import { JoinOperator } from './operators/join.ts';
import { KeyedChangelogOperator } from './operators/keyed-changelog.ts';
import { LookupOperator } from './operators/lookup.ts';
import { MatchOperator } from './operators/match.ts';
import type { EpochClock, Operator, OperatorContext } from './operators/operator.ts';
import { RetentionOperator } from './operators/retention.ts';
import { SelectOperator } from './operators/select.ts';
import { SessionOperator } from './operators/session.ts';
import { SourceOperator } from './operators/source.ts';
import { StaticOperator } from './operators/static.ts';
import { TableOperator } from './operators/table.ts';
import { TemporalOperator } from './operators/temporal.ts';
import { UnionOperator } from './operators/union.ts';
import { WindowOperator } from './operators/window.ts';
import type { Session } from './session.ts';

/** The operators of a plan, each after its inputs. */
export class Graph {
  readonly operators: readonly Operator[];
  private readonly byNode = new Map<PlanNode, Operator>();

  constructor(session: Session, plan: Plan) {
    const readers = readersOf(plan);
    const shared = sharedNodes(plan);
    const read = new Set([
      ...plan.sinks.map((sink) => sink.node),
      ...inOrder(rootsOf(plan)).flatMap((node) => inputsOf(node)),
    ]);
    const context: OperatorContext = {
      session,
      operator: (node) => this.operator(node),
      isShared: (node) => shared.has(node),
      isRead: (node) => read.has(node),
      viewsOf: (node) => readers.get(node) ?? [],
    };
    this.operators = inOrder(rootsOf(plan)).map((node) => {
      const operator = make(context, node);
      this.byNode.set(node, operator);
      return operator;
    });
  }

  operator(node: PlanNode): Operator {
    const operator = this.byNode.get(node);
    if (operator === undefined) throw new StreamsqlError('INTERNAL', `no operator for ${node.id}`);
    return operator;
  }

  get sources(): readonly SourceOperator[] {
    return this.operators.filter((operator) => operator instanceof SourceOperator);
  }

  get tables(): readonly TableOperator[] {
    return this.operators.filter((operator) => operator instanceof TableOperator);
  }

  async open(): Promise<void> {
    for (const operator of this.operators) await operator.open();
  }

  /** `but`: nodes that do not step. */
  async step(epoch: EpochClock, but?: ReadonlySet<PlanNode>): Promise<void> {
    for (const operator of this.operators) if (but?.has(operator.node) !== true) await operator.step(epoch);
  }
}

function make(context: OperatorContext, node: PlanNode): Operator {
  switch (node.kind) {
    case 'source':
      return new SourceOperator(context, node);
    case 'changelog':
      return node.key.length === 0 ? new ChangelogOperator(context, node) : new KeyedChangelogOperator(context, node);
    case 'table':
      return new TableOperator(context, node);
    case 'static':
      return new StaticOperator(context, node);
    case 'select':
      return streaming(node).length > 1 ? new JoinOperator(context, node) : new SelectOperator(context, node);
    case 'window':
      return new WindowOperator(context, node);
    case 'session':
      return new SessionOperator(context, node);
    case 'union':
      return new UnionOperator(context, node);
    case 'aggregate':
      return new AggregateOperator(context, node);
    case 'cogroup':
      return new CogroupOperator(context, node);
    case 'match':
      return new MatchOperator(context, node);
    case 'retention':
      return new RetentionOperator(context, node);
    case 'coalesce':
      return new CoalesceOperator(context, node);
    case 'gate':
      return new GateOperator(context, node);
    case 'temporal':
      return new TemporalOperator(context, node);
    case 'lookup':
      return new LookupOperator(context, node);
    default:
      return unreachable(node);
  }
}

/** Nodes that more than one operator, view or sink reads. */
function sharedNodes(plan: Plan): ReadonlySet<PlanNode> {
  const roots = [...plan.views, ...plan.sinks].map((target) => target.node);
  const read = [...roots, ...inOrder(roots).flatMap((node) => inputsOf(node))];
  return new Set(read.filter((node, i) => read.indexOf(node) !== i));
}

/** Which views and sinks each node leads to. */
function readersOf(plan: Plan): ReadonlyMap<PlanNode, readonly string[]> {
  const readers = new Map<PlanNode, string[]>();
  const targets = [...plan.views, ...plan.sinks];
  for (const target of targets) {
    const seen = new Set<PlanNode>();
    const visit = (node: PlanNode): void => {
      if (seen.has(node)) return;
      seen.add(node);
      readers.set(node, [...(readers.get(node) ?? []), target.name]);
      // What feeds another view belongs to that one: its late rows are counted there alone.
      if (node !== target.node && plan.views.some((view) => view.node === node)) return;
      inputsOf(node).forEach(visit);
    };
    visit(target.node);
  }
  return readers;
}
