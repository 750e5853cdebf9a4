import { AuthenticationError, type ConnectionOptions } from '@platformatic/kafka';
import type { Credentials } from './security.ts';

export type SaslOptions = NonNullable<ConnectionOptions['sasl']>;

/** What the client library is given to show the credentials with. */
export function saslOptions(credentials: Credentials): SaslOptions {
  if (credentials.mechanism !== 'OAUTHBEARER') return { ...credentials };
  const { mechanism, token, extensions } = credentials;
  return {
    mechanism,
    token: typeof token === 'string' ? token : () => token.token(),
    oauthBearerExtensions: { ...extensions },
    // A broker that refuses a token answers without an error code, and says why in the bytes that are empty otherwise;
    // the library takes that for a yes (RFC 7628, 3.2.3).
    authBytesValidator: (bytes, callback) => {
      const said = bytes.toString('utf8');
      if (said === '') callback(null, bytes);
      else callback(new AuthenticationError('the token is refused', { said: statusOf(said) }));
    },
  };
}

function statusOf(said: string): string {
  try {
    const answer = JSON.parse(said) as { readonly status?: unknown };
    return typeof answer.status === 'string' ? answer.status : 'refused';
  } catch {
    return 'refused';
  }
}
