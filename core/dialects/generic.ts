// Any NAS with RFC 5176 and nothing more: Filter-Id. What a CoA-Request includes replaces all values of that attribute
// (section 3.6, note 3), so each command names every service that the session has afterwards: first the old ones beside
// the new, then those that stay.

import { NAS_IDENTITY_ATTRIBUTES } from '../identity.ts';
import { ERROR_CAUSE } from '../radius/attributes.ts';
import type { Attribute } from '../radius/codec.ts';
import type { ServiceTerms } from '../services/terms.ts';
import type { Dialect, NoOptions } from './dialect.ts';

/** Leaving an attribute out means that it stays, so having none needs a name. */
export const NO_SERVICE = 'none';

/** As many as a packet has room for at the usual length of a name. */
const SERVICES_PER_COMMAND = 64;

export const generic: Dialect<NoOptions> = {
  options: {},
  identification: ['Acct-Session-Id', 'User-Name', ...NAS_IDENTITY_ATTRIBUTES],
  servicesPerCommand: { activate: SERVICES_PER_COMMAND, deactivate: SERVICES_PER_COMMAND },
  activate: (services, { staying }) => filters([...staying, ...services]),
  deactivate: (_, { staying }) => filters(staying),
  // A filter that is not there is no error. A session that is not there has taken its filters with it.
  alreadyGone: [ERROR_CAUSE['Session-Context-Not-Found']],
};

function filters(services: readonly ServiceTerms[]): Attribute[] {
  const names = services.length === 0 ? [NO_SERVICE] : services.map(({ activation }) => activation);
  return names.map((value) => ({ name: 'Filter-Id', value }));
}
