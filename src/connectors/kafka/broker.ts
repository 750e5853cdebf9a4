import { Connection, type API } from '@platformatic/kafka';
import type { Address } from './address.ts';

export interface ConnectionSettings {
  readonly clientId: string;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
}

/** One connection to one broker, made when it is first used and again after it was lost. */
export class Broker {
  readonly address: Address;
  private readonly settings: ConnectionSettings;
  private connection: Promise<Connection> | undefined;

  constructor(address: Address, settings: ConnectionSettings) {
    this.address = address;
    this.settings = settings;
  }

  /** Throws the client library's errors. */
  async connect(): Promise<Connection> {
    const made = (this.connection ??= this.open());
    const connection = await made.catch((error: unknown) => {
      if (this.connection === made) this.connection = undefined;
      throw error;
    });
    if (connection.isConnected()) return connection;
    if (this.connection === made) this.connection = undefined;
    return await this.connect();
  }

  async call<Arguments extends unknown[], Response>(
    api: API<Arguments, Response>,
    ...args: Arguments
  ): Promise<Response> {
    return await api.async(await this.connect(), ...args);
  }

  async close(): Promise<void> {
    const made = this.connection;
    this.connection = undefined;
    const connection = await made?.catch(() => undefined);
    await connection?.close();
  }

  private async open(): Promise<Connection> {
    const { clientId, connectTimeoutMs, requestTimeoutMs } = this.settings;
    const connection = new Connection(clientId, {
      connectTimeout: connectTimeoutMs,
      requestTimeout: requestTimeoutMs,
    });
    // Every failure reaches a caller through its own request; without a listener it would end the process too.
    connection.on('error', () => {});
    await connection.connect(this.address.host, this.address.port);
    return connection;
  }
}
