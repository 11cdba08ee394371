// Cisco ISG and IOS XE: vendor 9, Cisco-AVPair. A CoA-Request carries one command about one service. Several services
// are several requests; if the NAS refuses one, Interlock deactivates those that were activated before it.

import { NAS_IDENTITY_ATTRIBUTES } from '../identity.ts';
import { ERROR_CAUSE } from '../radius/attributes.ts';
import type { Attribute } from '../radius/codec.ts';
import type { Dialect, NoOptions } from './dialect.ts';
import { ciscoServiceRecord } from './service-records.ts';

export const cisco: Dialect<NoOptions> = {
  options: {},
  // Every attribute must match the session, else Cisco replies 407; it does not look up sessions by User-Name.
  identification: ['Acct-Session-Id', ...NAS_IDENTITY_ATTRIBUTES],
  tellsStatistics: false,
  servicesPerCommand: { activate: 1, deactivate: 1 },
  activate: (services) =>
    services.flatMap(({ activation, spelling }) => command('activate-service', spelling ?? activation)),
  deactivate: (names) => names.flatMap((name) => command('deactivate-service', name)),
  isGone: ({ errorCause }) => errorCause === ERROR_CAUSE['Session-Context-Not-Found'],
  mayBeGone: ({ errorCause }) => errorCause === undefined,
  // A second activation is answered with an ACK.
  isThere: () => false,
  serviceRecords: () => ciscoServiceRecord,
};

function command(command: string, service: string): Attribute[] {
  return [
    { name: 'Cisco-AVPair', value: `subscriber:command=${command}` },
    { name: 'Cisco-AVPair', value: `subscriber:service-name=${service}` },
  ];
}
