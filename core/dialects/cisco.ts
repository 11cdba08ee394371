// Cisco ISG and IOS XE: vendor 9, Cisco-AVPair. A CoA-Request carries one command about one service. Several services
// are several requests; if the NAS refuses one, Interlock deactivates those that were activated before it.

import { NAS_IDENTITY_ATTRIBUTES } from '../identity.ts';
import { ERROR_CAUSE } from '../radius/attributes.ts';
import type { Attribute } from '../radius/codec.ts';
import type { ServiceTerms } from '../services/terms.ts';
import type { Dialect, NoOptions } from './dialect.ts';

export const cisco: Dialect<NoOptions> = {
  options: {},
  // Every attribute must match the session, else Cisco replies 407; it does not look up sessions by User-Name.
  identification: ['Acct-Session-Id', ...NAS_IDENTITY_ATTRIBUTES],
  servicesPerCommand: { activate: 1, deactivate: 1 },
  activate: (services) => services.flatMap((service) => command('activate-service', service)),
  deactivate: (services) => services.flatMap((service) => command('deactivate-service', service)),
  alreadyGone: [ERROR_CAUSE['Session-Context-Not-Found']],
};

function command(name: string, { activation }: ServiceTerms): Attribute[] {
  return [
    { name: 'Cisco-AVPair', value: `subscriber:command=${name}` },
    { name: 'Cisco-AVPair', value: `subscriber:service-name=${activation}` },
  ];
}
