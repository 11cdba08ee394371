// The only file that opens UDP sockets. It knows datagrams and endpoints, nothing of RADIUS.
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import type { Endpoint } from '../../core/endpoint.ts';

/** Room for some thousand requests while this process is busy. The kernel cuts it to net.core.rmem_max. */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

/** What the owner of a socket wants to be told. */
export interface SocketOwner {
  onDatagram(datagram: Uint8Array, source: Endpoint): void;
  /** An error of the socket itself; on a connected one ECONNREFUSED is an ICMP port unreachable. */
  onError(error: NodeJS.ErrnoException): void;
}

/** A socket that hears everybody. */
export interface BoundSocket {
  readonly local: Endpoint;
  /** What the kernel granted, in octets. */
  readonly receiveBufferBytes: number;
  /** Rejects with the system's error when the datagram cannot leave. */
  send(datagram: Uint8Array, destination: Endpoint): Promise<void>;
  close(): Promise<void>;
}

/** A socket for one peer: the kernel drops what others send to it. Errors of sending come to its owner. */
export interface ConnectedSocket {
  send(datagram: Uint8Array): void;
  close(): Promise<void>;
}

/** Opens a socket on `local`; port 0 takes a free one. Rejects with the system's error, such as EADDRINUSE. */
export async function bindSocket(local: Endpoint, owner: SocketOwner): Promise<BoundSocket> {
  const socket = createUdpSocket(local);
  socket.bind(local.port, local.address);
  await ready(socket, 'listening', owner);
  return {
    local: { address: socket.address().address, port: socket.address().port },
    receiveBufferBytes: socket.getRecvBufferSize(),
    send: (datagram, { address, port }) =>
      new Promise((resolve, reject) => {
        socket.send(datagram, port, address, (error) => (error ? reject(error) : resolve()));
      }),
    close: () => close(socket),
  };
}

/** Opens a socket to `remote` on a free port. Rejects with the system's error, such as ENETUNREACH. */
export async function connectSocket(remote: Endpoint, owner: SocketOwner): Promise<ConnectedSocket> {
  const socket = createUdpSocket(remote);
  socket.connect(remote.port, remote.address);
  await ready(socket, 'connect', owner);
  return {
    send: (datagram) => socket.send(datagram, (error) => error && owner.onError(error)),
    close: () => close(socket),
  };
}

function createUdpSocket({ address }: Endpoint): Socket {
  return createSocket({
    type: isIPv6(address) ? 'udp6' : 'udp4',
    recvBufferSize: RECEIVE_BUFFER_BYTES,
  });
}

/** Waits until the socket is usable, and hands it to its owner. */
async function ready(socket: Socket, event: 'listening' | 'connect', owner: SocketOwner): Promise<void> {
  try {
    await once(socket, event);
  } catch (error) {
    socket.close();
    throw error;
  }
  socket.on('message', (datagram, { address, port }) => owner.onDatagram(datagram, { address, port }));
  socket.on('error', (error) => owner.onError(error));
}

async function close(socket: Socket): Promise<void> {
  const closed = once(socket, 'close');
  socket.close();
  await closed;
}
