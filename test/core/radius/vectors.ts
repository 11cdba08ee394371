// Worked packets: computed with the rules of RFC 2866 section 3 and RFC 5176 sections 2.3 and 3.4, accepted by
// FreeRADIUS 3.2.1. Its radclient made the same octets for the same attributes and took the replies; its radiusd took
// the requests and answered the first CoA-Request and the first Accounting-Request with exactly these replies.

import type { Attribute } from '../../../core/radius/codec.ts';
import { CODE } from '../../../core/radius/packet.ts';

export const SECRET = 'testing123';

export interface Vector {
  readonly code: number;
  readonly identifier: number;
  /** Whether a Message-Authenticator comes first; it is not in `attributes`. */
  readonly messageAuthenticator: boolean;
  readonly attributes: readonly Attribute[];
  readonly bytes: Buffer;
}

/** A reply, with the request that it answers. */
export interface ReplyVector extends Vector {
  readonly request: Vector;
}

const octets = (...lines: readonly string[]) => Buffer.from(lines.join(''), 'hex');

const SESSION: readonly Attribute[] = [
  { name: 'User-Name', value: 'client1@isp1.com' },
  { name: 'NAS-IP-Address', value: '192.0.2.1' },
  { name: 'Acct-Session-Id', value: 'erx FastEthernet 12/0:0001048580' },
  { name: 'Event-Timestamp', value: 1700000000 },
];
const ACTIVATION: readonly Attribute[] = [
  { name: 'ERX-Service-Activate', tag: 1, value: 'tiered(1280000, 5120000)' },
  { name: 'ERX-Service-Statistics', tag: 1, value: 2 },
];
const SERVICE_STOP: readonly Attribute[] = [
  { name: 'User-Name', value: 'client1@isp1.com' },
  { name: 'NAS-IP-Address', value: '192.0.2.1' },
  { name: 'Acct-Status-Type', value: 2 },
  { name: 'Acct-Session-Id', value: 'erx FastEthernet 12/0:0001048580:002478' },
  { name: 'Acct-Session-Time', value: 3600 },
  // 1 * 2^32 + 705032704 = 5,000,000,000 octets, in RFC 2869's two halves (sections 5.1 and 5.2).
  { name: 'Acct-Input-Octets', value: 705032704 },
  { name: 'Acct-Input-Gigawords', value: 1 },
  { name: 'Acct-Output-Octets', value: 1000000 },
  { name: 'Acct-Output-Gigawords', value: 0 },
  { name: 'Acct-Terminate-Cause', value: 10 },
  { name: 'Acct-Delay-Time', value: 0 },
  { name: 'Event-Timestamp', value: 1700000000 },
  { name: 'ERX-Service-Session', value: 'tiered(1280000, 5120000)' },
];

export const COA_REQUEST: Vector = {
  code: CODE.CoaRequest,
  identifier: 42,
  messageAuthenticator: false,
  attributes: [...SESSION, ...ACTIVATION],
  bytes: octets(
    '2b2a0081100fe4c2c444508cd3fb8e7bbca508380112636c69656e743140697370312e636f6d0406c00002012c226572',
    '78204661737445746865726e65742031322f303a3030303130343835383037066553f1001a210000130a411b01746965',
    '72656428313238303030302c2035313230303030291a0c0000130a450601000002',
  ),
};

export const COA_REQUEST_MA: Vector = {
  ...COA_REQUEST,
  messageAuthenticator: true,
  bytes: octets(
    '2b2a0093a5cf325e3afc8cff064c14fe6f0b5153501210292ebd6a162511aac9400e6bb67e0a0112636c69656e743140',
    '697370312e636f6d0406c00002012c22657278204661737445746865726e65742031322f303a30303031303438353830',
    '37066553f1001a210000130a411b0174696572656428313238303030302c2035313230303030291a0c0000130a450601',
    '000002',
  ),
};

export const COA_ACK: ReplyVector = {
  request: COA_REQUEST,
  code: CODE.CoaAck,
  identifier: 42,
  messageAuthenticator: false,
  attributes: [],
  bytes: octets('2c2a0014e5f77c0796ff65822c7a3ce49e02c50d'),
};

export const COA_ACK_MA: ReplyVector = {
  ...COA_ACK,
  request: COA_REQUEST_MA,
  messageAuthenticator: true,
  bytes: octets('2c2a00268934b01d541f8866eaf91fa40ac341a55012b63da60fd37feef17082f603ce0e4248'),
};

export const COA_NAK: ReplyVector = {
  request: COA_REQUEST,
  code: CODE.CoaNak,
  identifier: 42,
  messageAuthenticator: false,
  attributes: [{ name: 'Error-Cause', value: 503 }],
  bytes: octets('2d2a001a39db5bd75e3346a4da2781bb48f97d856506000001f7'),
};

export const COA_NAK_MA: ReplyVector = {
  ...COA_NAK,
  request: COA_REQUEST_MA,
  messageAuthenticator: true,
  bytes: octets('2d2a002cd67e99681e126db5103e2baf69be95d75012a5b5e87b7972d59f4adba913a4f176b06506000001f7'),
};

export const DISCONNECT_REQUEST: Vector = {
  code: CODE.DisconnectRequest,
  identifier: 7,
  messageAuthenticator: false,
  attributes: SESSION,
  bytes: octets(
    '280700548a1be0ea4c5ab0d958708e81ad70c3e80112636c69656e743140697370312e636f6d0406c00002012c226572',
    '78204661737445746865726e65742031322f303a3030303130343835383037066553f100',
  ),
};

export const DISCONNECT_REQUEST_MA: Vector = {
  ...DISCONNECT_REQUEST,
  messageAuthenticator: true,
  bytes: octets(
    '2807006658459aa52d31603719309e4ce259db995012ed8ac9cce2b027e9a72d6606f9281ab90112636c69656e743140',
    '697370312e636f6d0406c00002012c22657278204661737445746865726e65742031322f303a30303031303438353830',
    '37066553f100',
  ),
};

export const DISCONNECT_ACK: ReplyVector = {
  request: DISCONNECT_REQUEST,
  code: CODE.DisconnectAck,
  identifier: 7,
  messageAuthenticator: false,
  attributes: [{ name: 'Acct-Terminate-Cause', value: 6 }],
  bytes: octets('2907001a5c132fb6013e799e6c00b1d0077e6009310600000006'),
};

export const ACCOUNTING_REQUEST: Vector = {
  code: CODE.AccountingRequest,
  identifier: 9,
  messageAuthenticator: false,
  attributes: SERVICE_STOP,
  bytes: octets(
    '040900ab069c0417e8344fa595901571478d28f70112636c69656e743140697370312e636f6d0406c000020128060000',
    '00022c29657278204661737445746865726e65742031322f303a303030313034383538303a3030323437382e0600000e',
    '102a062a05f2003406000000012b06000f424035060000000031060000000a29060000000037066553f1001a20000013',
    '0a531a74696572656428313238303030302c203531323030303029',
  ),
};

export const ACCOUNTING_REQUEST_MA: Vector = {
  ...ACCOUNTING_REQUEST,
  messageAuthenticator: true,
  bytes: octets(
    '040900bd78ef6cf32562267243c24793a42de93e50123b360b3b7e388f237a3d61790bce2a210112636c69656e743140',
    '697370312e636f6d0406c00002012806000000022c29657278204661737445746865726e65742031322f303a30303031',
    '3034383538303a3030323437382e0600000e102a062a05f2003406000000012b06000f42403506000000003106000000',
    '0a29060000000037066553f1001a200000130a531a74696572656428313238303030302c203531323030303029',
  ),
};

export const ACCOUNTING_RESPONSE: ReplyVector = {
  request: ACCOUNTING_REQUEST,
  code: CODE.AccountingResponse,
  identifier: 9,
  messageAuthenticator: false,
  attributes: [],
  bytes: octets('05090014bec26621432eaa3a7ca32cd10029afc1'),
};

/** Every request, by a name for a test's title. */
export const REQUESTS = {
  'CoA-Request': COA_REQUEST,
  'CoA-Request with Message-Authenticator': COA_REQUEST_MA,
  'Disconnect-Request': DISCONNECT_REQUEST,
  'Disconnect-Request with Message-Authenticator': DISCONNECT_REQUEST_MA,
  'Accounting-Request': ACCOUNTING_REQUEST,
  'Accounting-Request with Message-Authenticator': ACCOUNTING_REQUEST_MA,
} as const satisfies Record<string, Vector>;

/** Every reply. */
export const REPLIES = {
  'CoA-ACK': COA_ACK,
  'CoA-ACK with Message-Authenticator': COA_ACK_MA,
  'CoA-NAK': COA_NAK,
  'CoA-NAK with Message-Authenticator': COA_NAK_MA,
  'Disconnect-ACK': DISCONNECT_ACK,
  'Accounting-Response': ACCOUNTING_RESPONSE,
} as const satisfies Record<string, ReplyVector>;
