import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { StreamsqlError, type Span } from '../../base/errors.ts';
import { Refusal } from './refusal.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Answers one source's requests; the rows that were taken. Throws Refusal. */
export type Route = (request: IncomingMessage) => Promise<number>;

/** How long a request may take to arrive, ms. */
const REQUEST_TIMEOUT_MS = 60_000;
/** How long those under way may hold up the end of a run, ms. */
const CLOSE_WAIT_MS = 3000;
const PATH = /^\/ingest\/([^/?]+)(?:\?.*)?$/;

/** One port of a run, and its sources by name. It listens while it has any. */
export class Listener {
  private readonly address: Address;
  private readonly routes = new Map<string, Route>();
  private readonly underway = new Set<Promise<void>>();
  private server: Server | undefined;
  private listening: Promise<void> | undefined;

  constructor(address: Address) {
    this.address = address;
  }

  /** Where it listens, `http://…/ingest/NAME`. */
  urlOf(name: string): string {
    const bound = this.server?.address() as AddressInfo | undefined;
    const host = this.address.host.includes(':') ? `[${this.address.host}]` : this.address.host;
    return `http://${host}:${bound?.port ?? this.address.port}/ingest/${encodeURIComponent(name)}`;
  }

  async add(name: string, route: Route, span: Span): Promise<void> {
    this.routes.set(name.toLowerCase(), route);
    this.listening ??= this.listen(span);
    await this.listening;
  }

  /** Answers what is under way, and with the last source closes the port. */
  async remove(name: string): Promise<void> {
    this.routes.delete(name.toLowerCase());
    const { server } = this;
    if (this.routes.size > 0 || server === undefined) return;
    this.listening = this.server = undefined;
    server.close();
    server.closeIdleConnections();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, CLOSE_WAIT_MS)));
    await Promise.race([Promise.all(this.underway), late]);
    clearTimeout(timer);
    server.closeAllConnections();
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
      reply(200, { rows: await this.routeOf(request)(request) });
    } catch (error) {
      if (error instanceof Refusal) reply(error.status, { error: error.message, ...error.more }, error.headers);
      // Whoever hung up wants no answer.
      else if (!request.destroyed) reply(503, { error: error instanceof Error ? error.message : String(error) });
    }
    // What was heard is sent before anybody closes the connection.
    if (!response.writableFinished && !response.destroyed)
      await new Promise<void>((resolve) => response.once('close', resolve));
  }

  private routeOf({ url = '', method, headers }: IncomingMessage): Route {
    const [, name] = PATH.exec(url) ?? [];
    if (name === undefined) throw new Refusal(404, 'there is only POST /ingest/NAME, where NAME is a source');
    // A page in somebody's browser may reach this port; it always says whose it is.
    if (headers.origin !== undefined) throw new Refusal(403, 'web pages are not listened to');
    const route = this.routes.get(decoded(name).toLowerCase());
    if (route === undefined && this.routes.size === 0) throw new Refusal(503, 'the run is ending');
    if (route === undefined) throw new Refusal(404, `there is no source ${decoded(name)} here`);
    if (method !== 'POST') throw new Refusal(405, `${method} is not POST`, {}, { allow: 'POST' });
    return route;
  }
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

const listeners = new WeakMap<AbortSignal, Map<string, Listener>>();

/** The listener of an address that all sources of a run share; `run` is what ends it. */
export function listenerOf(run: AbortSignal, address: Address): Listener {
  const known = listeners.get(run) ?? new Map<string, Listener>();
  listeners.set(run, known);
  const key = `${address.host}:${address.port}`;
  const listener = known.get(key) ?? new Listener(address);
  known.set(key, listener);
  return listener;
}
