import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { StreamsqlError, type Span } from '../../base/errors.ts';
import { Refusal } from './refusal.ts';
import { taken, type Taker } from './taking.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** How long a request may take to arrive, ms. */
const REQUEST_TIMEOUT_MS = 60_000;
/** How long those under way may hold up the end of a run, ms. */
const CLOSE_WAIT_MS = 3000;
const PATH = /^\/ingest\/([^/?]+)(?:\?.*)?$/;

/**
 * One port, and the sources by name that it brings rows to: it listens while it has any. Of a name that several runs of the
 * process have (a session asks a source beside the run that reads it) each gets all rows.
 */
export class Listener {
  private readonly address: Address;
  private readonly takers = new Map<string, Set<Taker>>();
  private readonly underway = new Set<Promise<void>>();
  /** Names that somebody has taken in here, or does. */
  private readonly known = new Set<string>();
  /** When those under way have held up the end of a run, of all its sources, for long enough. */
  private quietBy = -Infinity;
  private server: Server | undefined;
  private listening: Promise<void> | undefined;
  private closing: Promise<void> | undefined;

  constructor(address: Address) {
    this.address = address;
  }

  /** Where it listens, `http://…/ingest/NAME`. */
  urlOf(name: string): string {
    const bound = this.server?.address() as AddressInfo | undefined;
    const host = this.address.host.includes(':') ? `[${this.address.host}]` : this.address.host;
    return `http://${host}:${bound?.port ?? this.address.port}/ingest/${encodeURIComponent(name)}`;
  }

  async add(name: string, taker: Taker, span: Span): Promise<void> {
    const takers = this.takers.get(name.toLowerCase()) ?? new Set();
    this.takers.set(name.toLowerCase(), takers.add(taker));
    this.known.add(name.toLowerCase());
    await this.closing;
    this.listening ??= this.listen(span);
    try {
      await this.listening;
    } catch (error) {
      this.listening = undefined;
      this.drop(name, taker);
      throw error;
    }
  }

  /** Resolves when what is under way is answered; with the last source the port is closed. */
  async remove(name: string, taker: Taker): Promise<void> {
    this.drop(name, taker);
    const { server } = this;
    if (this.takers.size > 0 || server === undefined) return this.quiet();
    this.listening = this.server = undefined;
    this.closing = this.close(server);
    await this.closing;
  }

  private drop(name: string, taker: Taker): void {
    const takers = this.takers.get(name.toLowerCase());
    takers?.delete(taker);
    if (takers?.size === 0) this.takers.delete(name.toLowerCase());
  }

  private async close(server: Server): Promise<void> {
    server.close();
    server.closeIdleConnections();
    await this.quiet();
    server.closeAllConnections();
  }

  /** Resolves when the requests that are under way are answered, which may take only so long. */
  private async quiet(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const now = performance.now();
    // The sources of a run are let go of one after the other.
    if (now > this.quietBy + CLOSE_WAIT_MS) this.quietBy = now + CLOSE_WAIT_MS;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, Math.max(0, this.quietBy - now))));
    await Promise.race([Promise.all(this.underway), late]);
    clearTimeout(timer);
  }

  private listen(span: Span): Promise<void> {
    const { host, port } = this.address;
    const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
      const work = this.answer(request, response).finally(() => this.underway.delete(work));
      this.underway.add(work);
    });
    this.server = server;
    return new Promise((resolve, reject) => {
      server.once('error', (error) => {
        this.server = undefined;
        reject(
          new StreamsqlError('SOURCE', `cannot listen at ${host}:${port}: ${error.message}`, {
            span,
            hint: "is something else there? Name another port: listen = '127.0.0.1:8081'",
            cause: error,
          }),
        );
      });
      server.listen(port, host, () => {
        server.on('error', () => undefined);
        resolve();
      });
    });
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const reply = (status: number, body: object, headers: Readonly<Record<string, string>> = {}): void => {
      // A body that was not read to its end stands in the way of the next request.
      const closing = request.complete && this.server !== undefined ? {} : { connection: 'close' };
      response.writeHead(status, { 'content-type': 'application/json', ...closing, ...headers });
      response.end(`${JSON.stringify(body)}\n`);
    };
    try {
      reply(200, { rows: await taken(request, this.takersOf(request)) });
    } catch (error) {
      if (error instanceof Refusal) reply(error.status, { error: error.message, ...error.more }, error.headers);
      // Whoever hung up wants no answer.
      else if (!response.destroyed) reply(503, { error: error instanceof Error ? error.message : String(error) });
    }
    // What was heard is sent before anybody closes the connection.
    if (!response.writableFinished && !response.destroyed)
      await new Promise<void>((resolve) => response.once('close', resolve));
  }

  private takersOf({ url = '', method, headers }: IncomingMessage): readonly Taker[] {
    const [, name] = PATH.exec(url) ?? [];
    if (name === undefined) throw new Refusal(404, 'there is only POST /ingest/NAME, where NAME is a source');
    // A page in somebody's browser may reach this port; it always says whose it is.
    if (headers.origin !== undefined) throw new Refusal(403, 'web pages are not listened to');
    const asked = decoded(name).toLowerCase();
    const takers = this.takers.get(asked);
    if (takers === undefined && this.known.has(asked)) throw new Refusal(503, 'the run is ending');
    if (takers === undefined) throw new Refusal(404, `there is no source ${decoded(name)} here`);
    if (method !== 'POST') throw new Refusal(405, `${method} is not POST`, {}, { allow: 'POST' });
    return [...takers];
  }
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** Ports that were named are the process's. */
const named = new Map<string, Listener>();
/** Ports that the system chooses are each run's own. */
const chosen = new WeakMap<AbortSignal, Map<string, Listener>>();

/** The listener of an address; `run` is what ends the run of the source. */
export function listenerOf(run: AbortSignal, address: Address): Listener {
  let known = named;
  if (address.port === 0) {
    known = chosen.get(run) ?? new Map<string, Listener>();
    chosen.set(run, known);
  }
  const key = `${address.host}:${address.port}`;
  const listener = known.get(key) ?? new Listener(address);
  known.set(key, listener);
  return listener;
}
