import { StreamsqlError } from '../../base/errors.ts';

/** What a token endpoint is asked with. */
export interface TokenRequest {
  readonly endpoint: URL;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope: string | undefined;
}

const TIMEOUT_MS = 10_000;
/** A token is used for this part of its life, so that none expires on the way to a broker. */
const USED_LIFE = 0.8;

/** Tokens of an endpoint by OAuth 2.0's client credentials (RFC 6749, 4.4); each is used until it is about to expire. */
export class TokenSource {
  private readonly request: TokenRequest;
  private current: { readonly token: string; readonly until: number } | undefined;
  private asking: Promise<string> | undefined;

  constructor(request: TokenRequest) {
    this.request = request;
  }

  /** Throws StreamsqlError where the endpoint refuses, and what `fetch` throws where it is not to be reached. */
  async token(): Promise<string> {
    if (this.current !== undefined && Date.now() < this.current.until) return this.current.token;
    return await (this.asking ??= this.ask().finally(() => (this.asking = undefined)));
  }

  private async ask(): Promise<string> {
    const { endpoint, clientId, clientSecret, scope } = this.request;
    const body = new URLSearchParams({ grant_type: 'client_credentials' });
    if (scope !== undefined) body.set('scope', scope);
    const pair = `${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`;
    const headers = { authorization: `Basic ${Buffer.from(pair).toString('base64')}`, accept: 'application/json' };
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await fetch(endpoint, { method: 'POST', body, headers, signal, redirect: 'error' });
    const said: unknown = await response.json().catch(() => undefined);
    const { access_token: token, expires_in: life, error } = (said ?? {}) as Readonly<Record<string, unknown>>;
    if (response.status >= 500 || response.status === 429) throw new Error(`${endpoint.host}: ${response.status}`);
    if (typeof token !== 'string' || !response.ok) {
      const reason = typeof error === 'string' ? `${response.status}, ${error.slice(0, 100)}` : `${response.status}`;
      throw new StreamsqlError('SOURCE', `the token endpoint ${endpoint.host} gives no token: ${reason}`, {
        hint: 'check sasl_oauthbearer_client_id, _client_secret and _scope',
      });
    }
    const lifeMs = typeof life === 'number' || typeof life === 'string' ? Number(life) * 1000 : 0;
    this.current = { token, until: Date.now() + (lifeMs > 0 ? lifeMs * USED_LIFE : 0) };
    return token;
  }
}
