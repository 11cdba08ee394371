import { isIPv6 } from 'node:net';
import type { Endpoint } from '../core/messages.ts';

/** `192.0.2.1:3799`, `[2001:db8::1]:3799`. */
export const formatEndpoint = ({ address, port }: Endpoint): string =>
  isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
