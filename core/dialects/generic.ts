// A NAS with RFC 5176 and no vendor attributes: a service is a Filter-Id. The Filter-Ids of a CoA-Request replace all
// that the session had (section 3.6, note 3). Each command therefore names every service that the session has
// afterwards: the old and the new ones to activate, those that stay to deactivate.

import { NAS_IDENTITY_ATTRIBUTES } from '../identity.ts';
import { ERROR_CAUSE } from '../radius/attributes.ts';
import type { Attribute } from '../radius/codec.ts';
import type { Dialect, NoOptions, TermsAtNas } from './dialect.ts';

/** The Filter-Id of a session without services: a request without Filter-Id would change nothing. */
export const NO_SERVICE = 'none';

/** A packet has room for that many names of usual length. */
const SERVICES_PER_COMMAND = 64;

export const generic: Dialect<NoOptions> = {
  options: {},
  replacesAll: true,
  identification: ['Acct-Session-Id', 'User-Name', ...NAS_IDENTITY_ATTRIBUTES],
  tellsStatistics: false,
  servicesPerCommand: { activate: SERVICES_PER_COMMAND, deactivate: SERVICES_PER_COMMAND },
  activate: (services, { staying }) => filters([...staying, ...services]),
  deactivate: (_, { staying }) => filters(staying),
  together: (services, _, { staying }) => filters([...staying, ...services]),
  // The NAS refuses no Filter-Id for being absent; a session that is gone has no filters.
  isGone: ({ errorCause }) => errorCause === ERROR_CAUSE['Session-Context-Not-Found'],
  mayBeGone: () => false,
  // A list that the session has already is no error.
  isThere: () => false,
};

function filters(services: readonly TermsAtNas[]): Attribute[] {
  const names =
    services.length === 0 ? [NO_SERVICE] : services.map(({ activation, spelling }) => spelling ?? activation);
  return names.map((value) => ({ name: 'Filter-Id', value }));
}
