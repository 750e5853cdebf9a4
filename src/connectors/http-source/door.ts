import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Span } from '../../base/errors.ts';
import type { Door } from '../intake/log-reader.ts';
import type { LogPartition } from '../intake/log-partition.ts';
import { decompressed, recordsOf } from './body.ts';
import type { Listener } from './listener.ts';
import { Refusal } from './refusal.ts';

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
export class HttpDoor implements Door {
  private readonly settings: HttpSettings;
  private readonly listener: Listener;
  private readonly partition: LogPartition;
  private readonly notice: (message: string | undefined) => void;
  private readonly fail: (error: unknown) => void;
  /** Of bodies that are on their way, bytes. */
  private arriving = 0;

  constructor(
    settings: HttpSettings,
    listener: Listener,
    partition: LogPartition,
    to: { notice(message: string | undefined): void; fail(error: unknown): void },
  ) {
    this.settings = settings;
    this.listener = listener;
    this.partition = partition;
    this.notice = (message) => to.notice(message);
    this.fail = (error) => to.fail(error);
  }

  async open(): Promise<void> {
    const { name, span } = this.settings;
    await this.listener.add(name, (request) => this.take(request), span);
    this.notice(`waiting for POST ${this.listener.urlOf(name)}`);
  }

  close(): Promise<void> {
    return this.listener.remove(this.settings.name);
  }

  private async take(request: IncomingMessage): Promise<number> {
    this.check(request);
    const { headers } = request;
    const body = await this.read(request);
    const records = recordsOf(await decompressed(body, headers['content-encoding'], this.settings.maxBody));
    try {
      await this.partition.take(records);
    } catch (error) {
      this.fail(error);
      throw error;
    }
    this.notice(undefined);
    return records.records;
  }

  private check({ headers }: IncomingMessage): void {
    const { token, maxBody, maxPending } = this.settings;
    if (token !== undefined && !isSame(headers.authorization ?? '', `Bearer ${token}`))
      throw new Refusal(401, 'the token is missing or wrong', {}, { 'www-authenticate': 'Bearer' });
    const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase();
    if (type !== undefined && !TYPES.test(type)) throw new Refusal(415, `a body is JSON or NDJSON, not ${type}`);
    if (Number(headers['content-length'] ?? 0) > maxBody) throw new Refusal(413, `a body may have ${maxBody} bytes`);
    if (this.partition.pending + this.arriving >= maxPending)
      throw new Refusal(429, 'too much waits already', {}, { 'retry-after': RETRY_AFTER_SECONDS });
  }

  private async read(request: IncomingMessage): Promise<Buffer> {
    const pieces: Buffer[] = [];
    // What is announced counts at once, so that many who come together are not all let in.
    let [size, counted] = [0, Number(request.headers['content-length'] ?? 0)];
    this.arriving += counted;
    try {
      for await (const piece of request as AsyncIterable<Buffer>) {
        size += piece.length;
        if (size > counted) this.arriving += size - counted;
        counted = Math.max(counted, size);
        if (size > this.settings.maxBody) throw new Refusal(413, `a body may have ${this.settings.maxBody} bytes`);
        pieces.push(piece);
      }
    } finally {
      this.arriving -= counted;
    }
    return Buffer.concat(pieces);
  }
}

/** In a time that tells nothing about where they differ. */
function isSame(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
