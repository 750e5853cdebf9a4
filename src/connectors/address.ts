/** Where a server listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

export const showAddress = ({ host, port }: Address): string => `${host.includes(':') ? `[${host}]` : host}:${port}`;

/** `host:port,host:port`; undefined where it is not that. */
export function parseAddresses(text: string): Address[] | undefined {
  const addresses: Address[] = [];
  for (const part of text.split(',')) {
    const match = /^\s*(?:\[([0-9a-f:.]+)\]|([^\s:/[\]]+)):(\d{1,5})\s*$/i.exec(part);
    const host = match?.[1] ?? match?.[2];
    const port = Number(match?.[3]);
    if (host === undefined || !(port > 0 && port < 65536)) return undefined;
    addresses.push({ host, port });
  }
  return addresses;
}
