// Cisco ISG and IOS XE: vendor 9, Cisco-AVPair. One command, so one service, in a CoA-Request; several services are
// several requests, and a refusal has the ones before it taken back.

import { NAS_IDENTIFICATION } from '../identity.ts';
import { ERROR_CAUSE } from '../radius/attributes.ts';
import type { Attribute } from '../radius/codec.ts';
import type { ServiceTerms } from '../subscriber/session.ts';
import type { Dialect } from './dialects.ts';

export const cisco: Dialect = {
  // All that is given must match, or Cisco answers 407, and User-Name is not among what it knows a session by.
  identification: ['Acct-Session-Id', ...NAS_IDENTIFICATION],
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
