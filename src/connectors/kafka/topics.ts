import type { Topic } from './cluster.ts';

/** Which topics a source reads: those that are named, in this order, or whichever match. */
export type TopicSelection =
  | { readonly kind: 'names'; readonly names: readonly string[] }
  | { readonly kind: 'pattern'; readonly pattern: RegExp };

/** One partition of one topic. */
export interface TopicPartition {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
}

/** What people call it, and what identifies it among the partitions of all topics. */
export const nameOf = ({ topic, partition }: Pick<TopicPartition, 'topic' | 'partition'>): string =>
  `${topic}-${partition}`;

export const selects = (selection: TopicSelection, topic: string): boolean =>
  selection.kind === 'names' ? selection.names.includes(topic) : selection.pattern.test(topic);

/** In the order in which they are read: topics as named, or by name; partitions by number. */
export function partitionsOf(topics: readonly Topic[], selection: TopicSelection): TopicPartition[] {
  const place = ({ name }: Topic): number => (selection.kind === 'names' ? selection.names.indexOf(name) : 0);
  const ordered = topics.toSorted((a, b) => place(a) - place(b) || (a.name < b.name ? -1 : 1));
  return ordered.flatMap((topic) =>
    [...topic.leaders.keys()]
      .sort((a, b) => a - b)
      .map((partition) => ({ topic: topic.name, topicId: topic.id, partition })),
  );
}

/** What a selection still waits for; undefined where nothing is. */
export function awaited(selection: TopicSelection, topics: readonly Topic[]): string | undefined {
  if (selection.kind === 'pattern') return topics.length === 0 ? `a topic that matches ${shown(selection)}` : undefined;
  const missing = missingOf(selection, topics);
  return missing === undefined ? undefined : `topic ${missing}`;
}

/** The first of the names that there is no topic of. */
export const missingOf = (selection: TopicSelection, topics: readonly Topic[]): string | undefined =>
  selection.kind === 'names' ? selection.names.find((name) => !topics.some((each) => each.name === name)) : undefined;

/** As it was written. */
export const shown = (selection: TopicSelection): string =>
  selection.kind === 'names' ? selection.names.join(',') : `'${selection.pattern.source.slice(4, -2)}'`;
