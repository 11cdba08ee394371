// On real sockets.
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ServerEndpoint } from '../../../relay/radius/transport.ts';
import { udpTransport } from '../../../relay/radius/udp.ts';
import { closedPort, LOCALHOST, type Received, Recorder, type UdpPeer, udpPeer } from '../support.ts';

let peer: UdpPeer;
let events: Recorder<string>;
let opened: { close(): Promise<void> }[];

beforeEach(async () => {
  peer = await udpPeer();
  events = new Recorder();
  opened = [];
});

afterEach(async () => {
  for (const one of opened) await one.close();
  await peer.close();
});

const started = <T extends { close(): Promise<void> }>(one: T): T => {
  opened.push(one);
  return one;
};
const bind = async (port = 0): Promise<{ endpoint: ServerEndpoint; received: Recorder<Received> }> => {
  const received = new Recorder<Received>();
  const endpoint = await udpTransport.bind(
    { address: LOCALHOST, port },
    {
      onPacket: (packet, source) => received.add({ datagram: Buffer.from(packet), source }),
      onError: ({ message }) => events.add(message),
    },
  );
  return { endpoint: started(endpoint), received };
};
const connect = async (remote: { readonly address: string; readonly port: number }) =>
  started(
    await udpTransport.connect(remote, {
      onPacket: (packet) => events.add(Buffer.from(packet).toString()),
      onRefused: () => events.add('refused'),
      onFailure: ({ message }) => events.add(message),
    }),
  );

test('a server endpoint hears everybody, and answers from the port that was asked', async () => {
  const { endpoint, received } = await bind();
  await peer.send(Buffer.from('request'), endpoint.local);
  expect(await received.first(() => true)).toEqual({
    datagram: Buffer.from('request'),
    source: peer.endpoint,
  });
  await endpoint.send(Buffer.from('reply'), peer.endpoint);
  const reply = await peer.received.first(() => true);
  expect(reply).toEqual({ datagram: Buffer.from('reply'), source: endpoint.local });
  expect(endpoint.receiveBufferBytes).toBeGreaterThan(0);
});

test('says that a port is taken', async () => {
  await expect(bind(peer.endpoint.port)).rejects.toThrow('EADDRINUSE');
});

test('rejects what cannot be sent', async () => {
  const { endpoint } = await bind();
  await expect(endpoint.send(new Uint8Array(70_000), peer.endpoint)).rejects.toThrow('EMSGSIZE');
});

test('a client channel hears its peer and nobody else, and may lose packets', async () => {
  const channel = await connect(peer.endpoint);
  channel.send(Buffer.from('request'));
  const { source } = await peer.received.first(() => true);
  const stranger = await udpPeer();
  await stranger.send(Buffer.from('from a stranger'), source);
  await peer.send(Buffer.from('reply'), source);
  expect(await events.first(() => true)).toBe('reply');
  expect(channel.isReliable).toBe(false);
  await stranger.close();
});

test('says when nobody listens on the port of the peer', async () => {
  const channel = await connect({ address: LOCALHOST, port: await closedPort() });
  channel.send(Buffer.from('request'));
  expect(await events.first(() => true)).toBe('refused');
});

test('does not open a channel to an address that no datagram can be sent to', async () => {
  await expect(connect({ address: '255.255.255.255', port: 3799 })).rejects.toThrow('EACCES');
});
