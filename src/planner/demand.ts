import { HIDDEN } from '../base/schema.ts';
import type { SourceNode } from './plan-sources.ts';
import { streaming, type PlanNode } from './plan.ts';

/**
 * The columns of a node's delta that tell each row from every other for good; ordered by them, rows stand in the order
 * in which they arrived: (source, partition, offset).
 */
export function identityColumns(node: PlanNode): readonly string[] {
  switch (node.kind) {
    case 'source':
      return [HIDDEN.partition, HIDDEN.offset];
    case 'changelog':
    case 'table':
    case 'static':
      return [];
    case 'select':
      return streaming(node)
        .flatMap((input) => identityColumns(input.node))
        .map((_, i) => `$i${i}`);
    case 'window':
      return [...identityColumns(node.input), 'window_end'];
    case 'session':
      return identityColumns(node.input).filter((name) => !/^window_(start|end|time)$/.test(name));
    case 'union': {
      const widths = node.inputs.map((input) => identityColumns(input).length);
      return ['$u', ...Array.from({ length: Math.max(...widths) }, (_, i) => `$i${i}`)];
    }
    case 'aggregate':
      return node.keys.map((_, i) => `$i${i}`);
    case 'retention':
    case 'coalesce':
    case 'gate':
      return node.appendOnly ? identityColumns(node.input) : node.columns.map((column) => column.name);
    // What has no arrival of its own is told apart by all that it says.
    case 'cogroup':
    case 'match':
    case 'temporal':
    case 'lookup':
      return node.columns.map((column) => column.name);
  }
}

/** Asks for the identity columns in a node's delta, and so in those of its inputs. */
export function demandIdentity(node: PlanNode): void {
  if (node.demand.identity) return;
  node.demand.identity = true;
  switch (node.kind) {
    case 'source':
    case 'changelog':
    case 'table':
    case 'static':
    case 'aggregate':
    case 'cogroup':
    case 'match':
    case 'temporal':
    case 'lookup':
      return;
    case 'retention':
    case 'coalesce':
    case 'gate':
      if (node.appendOnly) demandIdentity(node.input);
      return;
    case 'select':
      return node.inputs.forEach((input) => demandIdentity(input.node));
    case 'window':
    case 'session':
      return demandIdentity(node.input);
    case 'union':
      return node.inputs.forEach((input) => demandIdentity(input));
  }
}

/** Asks for each row's own watermark, as far as rows of a source come through as they are. */
export function demandWatermark(node: PlanNode): void {
  if (lateSources(node).length === 0 || node.demand.watermark) return;
  node.demand.watermark = true;
  comesThrough(node).forEach(demandWatermark);
}

/** The sources whose rows come through a node as they are, and so may be late for what is downstream. */
export function lateSources(node: PlanNode): readonly SourceNode[] {
  if (node.kind === 'source') return node.eventTime === undefined ? [] : [node];
  return [...new Set(comesThrough(node).flatMap(lateSources))];
}

/**
 * The inputs of a node whose rows come through it as they are. What a join, a session or an aggregation gives is never
 * late: they have refused late rows themselves.
 */
export function comesThrough(node: PlanNode): readonly PlanNode[] {
  switch (node.kind) {
    case 'source':
    case 'changelog':
    case 'table':
    case 'static':
    case 'session':
    case 'aggregate':
    case 'cogroup':
    case 'match':
    case 'retention':
    case 'coalesce':
    case 'gate':
    case 'temporal':
      return [];
    case 'lookup':
      return [node.left];
    case 'select': {
      const streams = streaming(node);
      return streams.length === 1 ? streams.map((input) => input.node) : [];
    }
    case 'window':
      return [node.input];
    case 'union':
      return node.inputs;
  }
}
