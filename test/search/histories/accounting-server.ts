// An accounting server on the network in memory: acknowledges each Accounting-Request that is signed (RFC 2866).
import { signReply, verifyRequest } from '../../../core/radius/authenticator.ts';
import { CODE, type Packet } from '../../../core/radius/packet.ts';
import type { MemoryNetwork } from '../../relay/memory-network.ts';
import { packetOf } from '../../relay/support.ts';
import { HOSTS, SECRET } from './deployment.ts';

const RESPONSE = { code: CODE.AccountingResponse, attributes: new Uint8Array() };

/** `onRecord` gets each request, also when it comes again. */
export function listenForAccounting(network: MemoryNetwork, onRecord: (request: Packet) => void): void {
  const send = network.listen(HOSTS.accounting, (datagram, source) => {
    const request = packetOf(datagram);
    const verified = verifyRequest(request, SECRET.accounting);
    if (!verified.ok) throw new Error(`the accounting server discards a record: ${verified.reason}`);
    onRecord(request);
    send(signReply(request, RESPONSE, SECRET.accounting), source);
  });
}
