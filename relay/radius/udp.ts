// RADIUS over UDP: one datagram is one packet (RFC 2865 section 3). The only file that opens UDP sockets.
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import type { Endpoint } from '../../core/endpoint.ts';
import type { ChannelOwner, ServerOwner, Transport } from './transport.ts';

/** Room for some thousand requests while this process is busy. The kernel cuts it to net.core.rmem_max. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

/** Opens a UDP socket for each server endpoint and each client channel. */
export const udpTransport: Transport = {
  async bind(local: Endpoint, owner: ServerOwner) {
    const socket = createUdpSocket(local);
    socket.bind(local.port, local.address);
    await opened(socket, 'listening');
    socket.on('message', (datagram, { address, port }) => owner.onPacket(datagram, { address, port }));
    socket.on('error', (error) => owner.onError(error));
    return {
      local: { address: socket.address().address, port: socket.address().port },
      receiveBufferBytes: socket.getRecvBufferSize(),
      send: (packet, { address, port }) =>
        new Promise((resolve, reject) => {
          socket.send(packet, port, address, (error) => (error ? reject(error) : resolve()));
        }),
      close: () => close(socket),
    };
  },

  /** The socket is connected, so that the kernel drops the datagrams of others. */
  async connect(remote: Endpoint, owner: ChannelOwner) {
    const socket = createUdpSocket(remote);
    socket.connect(remote.port, remote.address);
    await opened(socket, 'connect');
    const onError = (error: NodeJS.ErrnoException) =>
      error.code === 'ECONNREFUSED' ? owner.onRefused() : owner.onFailure(error);
    socket.on('message', (datagram) => owner.onPacket(datagram));
    socket.on('error', onError);
    return {
      isReliable: false,
      send: (packet) => socket.send(packet, (error) => error && onError(error)),
      close: () => close(socket),
    };
  },
};

function createUdpSocket({ address }: Endpoint): Socket {
  return createSocket({
    type: isIPv6(address) ? 'udp6' : 'udp4',
    recvBufferSize: RECEIVE_BUFFER_BYTES,
  });
}

/** Waits until the socket is usable; a socket that fails before is closed. */
async function opened(socket: Socket, event: 'listening' | 'connect'): Promise<void> {
  try {
    await once(socket, event);
  } catch (error) {
    socket.close();
    throw error;
  }
}

async function close(socket: Socket): Promise<void> {
  const closed = once(socket, 'close');
  socket.close();
  await closed;
}
