import { setTimeout as sleep } from 'node:timers/promises';

/** Some records of one request, and their ids. */
export interface Post {
  /** Its place among all. */
  readonly index: number;
  readonly ids: readonly number[];
  readonly body: string;
}

const PAUSE_MS = 15;
const REFUSED = new Set(['ECONNREFUSED', 'UND_ERR_CONNECT_TIMEOUT']);

/** Posts one after another, always as many as were released so far; one that has got no answer is not sent again. */
export class Poster {
  /** Answered with 200. */
  readonly answered: Post[] = [];
  /** Sent, and nobody answered: they may be in, or not. */
  readonly unknown: Post[] = [];
  isDone = false;
  private readonly url: string;
  private readonly left: Post[];
  private released = 0;
  private ended = false;
  private failure: unknown;
  private readonly work: Promise<void>;

  constructor(url: string, posts: readonly Post[]) {
    this.url = url;
    this.left = [...posts];
    this.work = this.send();
    this.work.catch((error: unknown) => (this.failure = error));
  }

  /** Allows a share of what is left; with 1 all of it. */
  release(share: number): void {
    if (this.failure !== undefined) throw this.failure;
    this.released = Math.max(this.released, Math.ceil(this.left.length * share));
  }

  async close(): Promise<void> {
    this.ended = true;
    await this.work;
  }

  private async send(): Promise<void> {
    while (this.left.length > 0 && !this.ended) {
      const [post] = this.left;
      if (post === undefined || this.released === 0) await sleep(PAUSE_MS);
      else if (await this.sent(post)) {
        this.left.shift();
        this.released--;
      } else await sleep(PAUSE_MS);
    }
    this.isDone = true;
  }

  /** false where it never left. */
  private async sent(post: Post): Promise<boolean> {
    try {
      const response = await fetch(this.url, { method: 'POST', body: post.body });
      const text = await response.text();
      if (response.status === 429 || response.status === 503) return false;
      if (response.status !== 200) throw new Error(`${response.status}: ${text}`);
      this.answered.push(post);
    } catch (error) {
      const { cause } = error as { readonly cause?: { readonly code?: string } };
      if (cause?.code === undefined) throw error;
      if (REFUSED.has(cause.code)) return false;
      this.unknown.push(post);
    }
    return true;
  }
}
