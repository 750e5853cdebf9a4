import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { createSecureContext, type ConnectionOptions } from 'node:tls';
import { StreamsqlError } from '../../base/errors.ts';
import type { Address } from '../address.ts';
import type { Security } from './security.ts';

/** What Node's TLS is given for a connection; undefined where there is to be none. Throws where a file is not what it should be. */
export function tlsOptions(security: Security, address: Address): ConnectionOptions | undefined {
  const { tls, span } = security;
  if (tls === undefined) return undefined;
  const read = (option: string, given: string | undefined): string | undefined =>
    given === undefined ? undefined : pem(option, given, tls.cwd, security);
  const [ca, cert, key] = [read('ssl_ca', tls.ca), read('ssl_cert', tls.cert), read('ssl_key', tls.key)];
  try {
    createSecureContext({ ca, cert, key, passphrase: tls.keyPassword });
  } catch (error) {
    const [message, hint] = whyNot(error, tls.keyPassword !== undefined);
    throw new StreamsqlError('OPTION', message, { span, hint, cause: error });
  }
  return {
    ca,
    cert,
    key,
    passphrase: tls.keyPassword,
    rejectUnauthorized: true,
    // Node checks the certificate against the host that is connected to; a name is also shown, an address may not be.
    ...(isIP(address.host) === 0 ? { servername: address.host } : {}),
    ...(tls.checkHost ? {} : { checkServerIdentity: () => undefined }),
  };
}

function pem(option: string, given: string, cwd: string, { span }: Security): string {
  const isText = given.includes('-----BEGIN');
  const text = isText ? given : readPem(option, resolve(cwd, given), span);
  const wanted = option === 'ssl_key' ? /-----BEGIN [A-Z ]*PRIVATE KEY-----/ : /-----BEGIN CERTIFICATE-----/;
  if (wanted.test(text)) return text;
  const what = option === 'ssl_key' ? 'private key' : 'certificate';
  throw new StreamsqlError('OPTION', `${option}: there is no PEM ${what} in ${isText ? 'the text' : given}`, {
    span,
    hint: 'keytool and openssl pkcs12 turn a Java key store into PEM',
  });
}

function readPem(option: string, path: string, span: Security['span']): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const message = code === 'ENOENT' ? `${option}: there is no file ${path}` : `${option}: ${path} cannot be read`;
    throw new StreamsqlError('FILE_MISSING', message, {
      span,
      hint: 'a path of a PEM file, or its text',
      cause: error,
    });
  }
}

function whyNot(error: unknown, hasPassword: boolean): [message: string, hint: string] {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH')
    return ['ssl_key is not the key of ssl_cert', 'its first certificate must be the one that was made for the key'];
  if (/BAD_DECRYPT|INTERRUPTED_OR_CANCELLED|BAD_PASSWORD_READ|PASSWORD|UNSUPPORTED/.test(code))
    return hasPassword
      ? ['ssl_key does not open with ssl_key_password', 'is it the password of this key?']
      : ['ssl_key is encrypted', 'say what with in ssl_key_password'];
  return ['ssl_ca, ssl_cert or ssl_key cannot be used', error instanceof Error ? error.message : String(error)];
}
