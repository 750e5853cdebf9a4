import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Span } from '../../base/errors.ts';
import type { Entries } from '../intake/entries.ts';
import type { Door } from '../intake/log-reader.ts';
import type { LogPartition } from '../intake/log-partition.ts';
import type { Listener } from './listener.ts';
import { Refusal } from './refusal.ts';
import type { Taker } from './taking.ts';

export interface HttpSettings {
  /** Of the source; the last part of the path. */
  readonly name: string;
  readonly token: string | undefined;
  readonly maxBody: number;
  readonly maxPending: number;
  readonly span: Span;
}

const RETRY_AFTER_SECONDS = '1';
/** JSON under its own names, and what clients say that were not told what they send. */
const TYPES = /^(?:application\/(?:json|x-ndjson|ndjson|x-jsonlines|jsonl|jsonlines|x-json-stream|json-seq|octet-stream|x-www-form-urlencoded)|text\/(?:plain|json))$/; // prettier-ignore

/** Takes what is posted to `/ingest/NAME`, each request as a whole, and answers when it is in the log for good. */
export class HttpDoor implements Door, Taker {
  readonly maxBody: number;
  private readonly settings: HttpSettings;
  private readonly listener: Listener;
  private readonly partition: LogPartition;
  private readonly notice: (message: string | undefined) => void;
  private readonly fail: (error: unknown) => void;
  /** Of bodies that are on their way, bytes. */
  private onTheWay = 0;

  constructor(
    settings: HttpSettings,
    listener: Listener,
    partition: LogPartition,
    to: { notice(message: string | undefined): void; fail(error: unknown): void },
  ) {
    this.maxBody = settings.maxBody;
    this.settings = settings;
    this.listener = listener;
    this.partition = partition;
    this.notice = (message) => to.notice(message);
    this.fail = (error) => to.fail(error);
  }

  async open(): Promise<void> {
    const { name, span } = this.settings;
    await this.listener.add(name, this, span);
    this.notice(`waiting for POST ${this.listener.urlOf(name)}`);
  }

  close(): Promise<void> {
    return this.listener.remove(this.settings.name, this);
  }

  check(headers: IncomingHttpHeaders): void {
    const { token, maxBody } = this.settings;
    if (token !== undefined && !isSame(headers.authorization ?? '', `Bearer ${token}`))
      throw new Refusal(401, 'the token is missing or wrong', {}, { 'www-authenticate': 'Bearer' });
    const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase();
    if (type !== undefined && !TYPES.test(type)) throw new Refusal(415, `a body is JSON or NDJSON, not ${type}`);
    if (Number(headers['content-length'] ?? 0) > maxBody) throw new Refusal(413, `a body may have ${maxBody} bytes`);
    this.checkRoom(0);
  }

  checkRoom(own: number): void {
    if (this.partition.pending + this.onTheWay - own >= this.settings.maxPending)
      throw new Refusal(429, 'too much waits already', {}, { 'retry-after': RETRY_AFTER_SECONDS });
  }

  arriving(bytes: number): void {
    this.onTheWay += bytes;
  }

  async take(records: Entries): Promise<void> {
    try {
      await this.partition.take(records);
    } catch (error) {
      this.fail(error);
      throw error;
    }
    this.notice(undefined);
  }
}

/** In a time that tells nothing about where they differ. */
function isSame(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
