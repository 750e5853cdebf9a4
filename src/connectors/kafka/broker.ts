import { AuthenticationError, Connection, GenericError, type API } from '@platformatic/kafka';
import type { Address } from '../address.ts';
import { refusalOf } from './refusal.ts';
import { saslOptions } from './sasl.ts';
import { PLAINTEXT, type Security } from './security.ts';
import { tlsOptions } from './tls.ts';

export interface ConnectionSettings {
  readonly clientId: string;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** Absent: neither TLS nor credentials. */
  readonly security?: Security;
}

/** One connection to one broker, made when it is first used and again after it was lost. */
export class Broker {
  readonly address: Address;
  private readonly settings: ConnectionSettings;
  private readonly security: Security;
  private connection: Promise<Connection> | undefined;
  /** What the connection said when it broke: a TLS alert may come after the handshake, as no request's own failure. */
  private broken: unknown;

  constructor(address: Address, settings: ConnectionSettings) {
    this.address = address;
    this.settings = settings;
    this.security = settings.security ?? PLAINTEXT;
  }

  /** Throws the client library's errors, and StreamsqlError where trying again would be of no use. */
  async connect(): Promise<Connection> {
    const made = (this.connection ??= this.open());
    const connection = await made.catch((error: unknown) => {
      if (this.connection === made) this.connection = undefined;
      throw this.explained(error);
    });
    if (connection.isConnected()) return connection;
    // Brokers may have credentials shown again (KIP-368), and take nothing else meanwhile.
    if (connection.status === 'reauthenticating' && (await isReady(connection))) return connection;
    if (this.connection === made) this.connection = undefined;
    void connection.close();
    return await this.connect();
  }

  async call<Arguments extends unknown[], Response>(
    api: API<Arguments, Response>,
    ...args: Arguments
  ): Promise<Response> {
    const connection = await this.connect();
    try {
      return await api.async(connection, ...args);
    } catch (error) {
      throw this.explained(error);
    }
  }

  async close(): Promise<void> {
    const made = this.connection;
    this.connection = undefined;
    const connection = await made?.catch(() => undefined);
    await connection?.close();
  }

  /** What is to be said of a failed request or connection. */
  explained(error: unknown): unknown {
    return (
      refusalOf(error, this.address, this.security) ?? refusalOf(this.broken, this.address, this.security) ?? error
    );
  }

  private async open(): Promise<Connection> {
    const { clientId, connectTimeoutMs, requestTimeoutMs } = this.settings;
    const tls = tlsOptions(this.security, this.address);
    const { sasl } = this.security;
    this.broken = undefined;
    const connection = new Connection(clientId, {
      connectTimeout: connectTimeoutMs,
      requestTimeout: requestTimeoutMs,
      ...(tls === undefined ? {} : { tls }),
      ...(sasl === undefined ? {} : { sasl: saslOptions(sasl) }),
    });
    // Every failure reaches a caller through its own request; without a listener it would end the process too.
    connection.on('error', (error: unknown) => (this.broken ??= error));
    const connected = connection.connect(this.address.host, this.address.port);
    // With credentials the library's own notice of a TLS answer is lost.
    if (tls === undefined && sasl !== undefined) {
      connection.socket.once('data', (bytes: Buffer) => {
        if (bytes[0] === TLS_ALERT && bytes[1] === 3) this.broken = new AuthenticationError(SPEAKS_TLS);
      });
    }
    try {
      await connected;
    } catch (error) {
      connection.socket.destroy();
      throw error;
    }
    return connection;
  }
}

const TLS_ALERT = 0x15;
const SPEAKS_TLS = 'Broker requires TLS.';

async function isReady(connection: Connection): Promise<boolean> {
  try {
    await connection.ready();
    return connection.isConnected();
  } catch (error) {
    if (!(error instanceof GenericError)) throw error;
    return false;
  }
}
