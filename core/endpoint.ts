// A UDP endpoint: an IP address and a port.
import * as v from 'valibot';

/** A UDP port other than 0. */
export const Port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65535));

/** A UDP endpoint as the relay saw it. */
export const Endpoint = v.object({ address: v.pipe(v.string(), v.ip()), port: Port });
export type Endpoint = v.InferOutput<typeof Endpoint>;

/** `192.0.2.1:3799`, `[2001:db8::1]:3799`. */
export const formatEndpoint = ({ address, port }: Endpoint): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
