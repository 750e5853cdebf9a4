export interface Endpoint {
  readonly url: URL;
  readonly method: string;
  readonly headers: Headers;
  /** For the whole of a request and its answer. */
  readonly timeoutMs: number;
}

/** What became of a request. `later`: the same may be taken another time. */
export type Answer =
  | { readonly kind: 'taken' }
  | { readonly kind: 'refused'; readonly said: string; readonly text?: string; readonly cause?: unknown }
  | { readonly kind: 'later'; readonly said: string; readonly text?: string; readonly afterMs?: number | undefined; readonly cause?: unknown }; // prettier-ignore

/** How much of an answer is read, characters. */
const READ = 1 << 16;

/** Sends one request. Whatever goes wrong is an answer, too. */
export async function answerTo(endpoint: Endpoint, key: string, body: string, signal: AbortSignal): Promise<Answer> {
  const { url, method, timeoutMs } = endpoint;
  const headers = new Headers(endpoint.headers);
  headers.set('Idempotency-Key', key);
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    // A redirect that is followed would turn a POST into a GET without its rows.
    const response = await fetch(url, { method, headers, body, redirect: 'manual', signal: AbortSignal.any([signal, timeout]) }); // prettier-ignore
    return await read(response);
  } catch (error) {
    if (timeout.aborted) return { kind: 'later', said: `no answer within ${timeoutMs} ms`, cause: error };
    return networkTrouble(error);
  }
}

async function read(response: Response): Promise<Answer> {
  const { status } = response;
  if (response.ok) {
    // It is taken, whether or not its text arrives; read, so that the connection serves the next request.
    await textOf(response);
    return { kind: 'taken' };
  }
  const said = `${status} ${response.statusText}`.trim();
  const text = await textOf(response);
  if (status === 408 || status === 425 || status === 429 || status >= 500)
    return { kind: 'later', said, text, afterMs: retryAfter(response.headers.get('retry-after')) };
  if (status >= 300 && status < 400)
    return { kind: 'refused', said: `${said}, another address, and redirects are not followed` };
  return { kind: 'refused', said, text };
}

/** The beginning of an answer, however long it is. */
async function textOf(response: Response): Promise<string> {
  let text = '';
  const decoder = new TextDecoder();
  const reader = response.body?.getReader();
  try {
    while (reader !== undefined && text.length < READ) {
      const { done, value } = (await reader.read()) as { done: boolean; value: Uint8Array | undefined };
      if (done) break;
      text += decoder.decode(value, { stream: true });
    }
    await reader?.cancel();
  } catch {
    // The status is what counts.
  }
  return text;
}

/** Milliseconds that `Retry-After` asks for, as seconds or as a date; undefined where it does not. */
function retryAfter(header: string | null): number | undefined {
  if (header === null) return undefined;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}

/** What fetch throws has the reason as its cause, and that may be several, one for each address. */
function networkTrouble(error: unknown): Answer {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const inner = cause instanceof AggregateError && cause.errors[0] instanceof Error ? cause.errors[0] : cause;
  const code = inner instanceof Error && 'code' in inner && typeof inner.code === 'string' ? inner.code : '';
  const said = inner instanceof Error && inner.message !== '' ? inner.message : code;
  // No waiting mends a certificate, or a port that fetch does not use.
  const forGood = /CERT|^ERR_TLS|^ERR_SSL|^EPROTO/.test(code) || said === 'bad port';
  return { kind: forGood ? 'refused' : 'later', said: said === '' ? 'no connection' : said, cause: error };
}
