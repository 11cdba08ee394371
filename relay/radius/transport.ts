// How RADIUS packets travel. A transport knows where a packet begins and ends, and no other rule of RADIUS; what is in
// a packet, and which reply belongs to which request, is the business of those who use it.
import type { Endpoint } from '../../core/endpoint.ts';

/** Opens what packets are sent and received on. */
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

/** The callbacks of a server endpoint. */
export interface ServerOwner {
  /** A packet has come from `source`. Over UDP it is the whole datagram, with any padding behind the packet. */
  onPacket(packet: Uint8Array, source: Endpoint): void;
  /** The endpoint itself has failed. It stays open. */
  onError(error: Error): void;
}

/** Takes requests from any client and sends replies. */
export interface ServerEndpoint {
  /** The address and port that it listens on in fact. */
  readonly local: Endpoint;
  /** How many octets the kernel keeps for packets that this process has not taken yet. */
  readonly receiveBufferBytes: number;
  /** Sends from the port that it listens on. Rejects with the system's error when the packet cannot leave. */
  send(packet: Uint8Array, destination: Endpoint): Promise<void>;
  close(): Promise<void>;
}

/** The callbacks of a client channel. */
export interface ChannelOwner {
  /** A packet has come from the peer. Those of other sources are dropped. */
  onPacket(packet: Uint8Array): void;
  /**
   * The peer's host says that no process listens on the port; over UDP with an ICMP port unreachable (RFC 1122 section
   * 4.1.3.1).
   */
  onRefused(): void;
  /** The channel can no longer be used: its route or its local address may be gone. */
  onFailure(error: Error): void;
}

/** Sends requests to one server and takes its replies. */
export interface ClientChannel {
  /**
   * Whether it either delivers what it takes or fails. Over such a channel a request is never retransmitted, as RFC 6613
   * section 2.6.1 says of TCP. Over UDP it is (RFC 5080 section 2.2.1).
   */
  readonly isReliable: boolean;
  /** Sends a packet. Errors go to `onRefused` and `onFailure`. */
  send(packet: Uint8Array): void;
  close(): Promise<void>;
}
