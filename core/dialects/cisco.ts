// Cisco ISG and IOS XE: vendor 9, Cisco-AVPair. One command, so one service, in a CoA-Request; several services are
// several requests, and a refusal has the ones before it taken back.

import { NAS_IDENTITY_ATTRIBUTES } from '../identity.ts';
import { ERROR_CAUSE } from '../radius/attributes.ts';
import type { Attribute } from '../radius/codec.ts';
import type { ServiceTerms } from '../services/terms.ts';
import type { Dialect, NoOptions } from './dialect.ts';

export const cisco: Dialect<NoOptions> = {
  options: {},
  // All that is given must match, or Cisco answers 407, and User-Name is not among what it knows a session by.
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
