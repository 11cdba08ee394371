// How RADIUS packets travel. A transport knows where a packet begins and ends, and no other rule of RADIUS; what is in
// a packet, and which reply belongs to which request, is the business of those who use it.
import type { Endpoint } from '../../core/endpoint.ts';

export interface Transport {
  /**
   * Opens an endpoint that takes requests on `local`; port 0 takes a free one.
   * @throws the system's error, such as EADDRINUSE.
   */
  bind(local: Endpoint, owner: ServerOwner): Promise<ServerEndpoint>;
  /**
   * Opens a channel to `remote` from a free port.
   * @throws the system's error, such as ENETUNREACH.
   */
  connect(remote: Endpoint, owner: ChannelOwner): Promise<ClientChannel>;
}

/** What the owner of a server endpoint is told. */
export interface ServerOwner {
  /** A packet has come from `source`. Over UDP it is the whole datagram, with any padding behind the packet. */
  onPacket(packet: Uint8Array, source: Endpoint): void;
  /** The endpoint itself has failed. It stays open. */
  onError(error: Error): void;
}

export interface ServerEndpoint {
  /** The address and port that it listens on in fact. */
  readonly local: Endpoint;
  /** How many octets the kernel keeps for packets that this process has not taken yet. */
  readonly receiveBufferBytes: number;
  /** Sends from the port that it listens on. Rejects with the system's error when the packet cannot leave. */
  send(packet: Uint8Array, destination: Endpoint): Promise<void>;
  close(): Promise<void>;
}

/** What the owner of a client channel is told. */
export interface ChannelOwner {
  /** A packet has come from the peer. Those of other sources are dropped. */
  onPacket(packet: Uint8Array): void;
  /** The peer's host says that no process listens on the port; over UDP with an ICMP port unreachable (RFC 1122, 4.1.3.1). */
  onRefused(): void;
  /** The channel can no longer be used: its route or its local address may be gone. */
  onFailure(error: Error): void;
}

export interface ClientChannel {
  /**
   * Whether it delivers what it takes, or fails. A request is never sent again over such a channel, as RFC 6613
   * section 2.6.1 says of TCP; over UDP it is (RFC 5080 section 2.2.1).
   */
  readonly isReliable: boolean;
  /** Sends a packet. The owner is told of errors. */
  send(packet: Uint8Array): void;
  close(): Promise<void>;
}
