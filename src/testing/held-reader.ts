import type { Chunk, PartitionState, PollRequest, SourceReader } from '../base/connector.ts';
import type { Turnstile } from './turnstile.ts';

/** The reader of a source that makes its rows itself and is not fed: it gives nothing before the case says END. */
export class HeldReader implements SourceReader {
  private readonly inner: SourceReader;
  private readonly turnstile: Turnstile;
  private released = false;

  constructor(inner: SourceReader, turnstile: Turnstile) {
    this.inner = inner;
    this.turnstile = turnstile;
  }

  get partitions(): readonly PartitionState[] {
    return this.inner.partitions;
  }

  open(): Promise<void> {
    return this.inner.open();
  }

  poll(request: PollRequest): Promise<readonly Chunk[]> {
    return this.released || request.upTo !== undefined ? this.inner.poll(request) : this.turnstile.wait();
  }

  end(): void {
    this.released = true;
    this.turnstile.shut();
  }

  close(): Promise<void> {
    this.turnstile.shut();
    return this.inner.close();
  }
}
