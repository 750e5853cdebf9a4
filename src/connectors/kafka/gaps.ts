import { StreamsqlError } from '../../base/errors.ts';

/** Retention was faster: offsets `from` up to, but not, `to` are not there any more. */
export function goneOffsets(name: string, from: number, to: number): StreamsqlError {
  return new StreamsqlError('GAP', `${name}: offsets ${from} to ${to - 1} are gone`, {
    hint: 'the topic no longer keeps them (retention): go on without them, with --on-gap skip, or run from the start of what is left, with --fresh',
  });
}

/** The log is shorter than it was. */
export function endsBefore(name: string, end: number, offset: number): StreamsqlError {
  return new StreamsqlError('GAP', `${name} ends at offset ${end}, before offset ${offset}, up to which it was read`, {
    hint: 'the topic was deleted and made anew, or has lost what it had: run from the start, with --fresh',
  });
}

export function madeAnew(topic: string): StreamsqlError {
  return new StreamsqlError('GAP', `topic '${topic}' was deleted and made anew since it was read`, {
    hint: 'its offsets mean other records now: run from the start, with --fresh',
  });
}

export function gone(name: string): StreamsqlError {
  return new StreamsqlError('GAP', `${name}, which was read before, is not there any more`, {
    hint: 'the topic was deleted: run from the start, with --fresh',
  });
}

/** What tells one topic from another of the same name: the first 48 bits of its id. */
export const topicMark = (id: string): number => Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16);
