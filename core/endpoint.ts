/** A UDP endpoint as the relay sees it: an IPv4 or IPv6 address, and a port from 1 to 65535. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** The endpoint as text: `192.0.2.1:3799`, `[2001:db8::1]:3799`. */
export const formatEndpoint = ({ address, port }: Endpoint): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
