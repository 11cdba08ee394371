// A NAS with RFC 5176 and no vendor attributes: a service is a Filter-Id. The Filter-Ids of a CoA-Request replace all
// that the session had (section 3.6, note 3), also what the NAS gave it at log-in. Each command therefore names every service
// that the session has afterwards: the old and the new ones to activate, those that stay to deactivate. A NAS with one
// Filter-Id for a session is told the one that it is to have.

import * as v from 'valibot';
import { NAS_IDENTITY_ATTRIBUTES } from '../identity.ts';
import { ERROR_CAUSE } from '../radius/attributes.ts';
import type { Attribute } from '../radius/codec.ts';
import type { CommandContext, Dialect, TermsAtNas } from './dialect.ts';
import { huaweiServiceRecord, nokiaServiceRecord, redbackServiceRecord } from './service-records.ts';

/** The Filter-Id of a session without services, where the site file has no other: one without Filter-Id changes nothing. */
export const NO_SERVICE = 'none';

/** A packet has room for that many names of usual length. */
const SERVICES_PER_COMMAND = 64;
/** RFC 2865 section 5.11. */
const MAX_FILTER_ID_OCTETS = 253;

const NoService = v.pipe(
  v.string('expected a Filter-Id'),
  v.nonEmpty('expected a Filter-Id'),
  v.maxBytes(MAX_FILTER_ID_OCTETS, `expected at most ${MAX_FILTER_ID_OCTETS} octets`),
  v.regex(/^\P{C}*$/u, 'expected no control characters'),
);

/** A type and not an interface, which would lack the index signature of DialectOptions. */
export type GenericOptions = {
  /** The Filter-Id that a session without services has. */
  readonly noService: string;
  /** The NAS has one Filter-Id for a session. */
  readonly oneAtATime: boolean;
  /** The make whose way the NAS has of accounting services. */
  readonly serviceRecords: keyof typeof SERVICE_RECORDS;
};

const SERVICE_RECORDS = {
  none: undefined,
  nokia: nokiaServiceRecord,
  huawei: huaweiServiceRecord,
  redback: redbackServiceRecord,
} as const;

type Context = CommandContext<GenericOptions>;

export const generic: Dialect<GenericOptions> = {
  options: {
    noService: v.optional(NoService, NO_SERVICE),
    oneAtATime: v.optional(v.boolean('expected true or false'), false),
    serviceRecords: v.optional(
      v.picklist(['none', 'nokia', 'huawei', 'redback'], 'expected none, nokia, huawei or redback'),
      'none',
    ),
  },
  identification: ['Acct-Session-Id', 'User-Name', ...NAS_IDENTITY_ATTRIBUTES],
  tellsStatistics: false,
  servicesPerCommand: { activate: SERVICES_PER_COMMAND, deactivate: SERVICES_PER_COMMAND },
  replacesAll: true,
  capacity: ({ oneAtATime }) => (oneAtATime ? 1 : Number.POSITIVE_INFINITY),
  activate: (services, context) => filters(services, context),
  deactivate: (_, context) => filters([], context),
  together: (services, _, context) => filters(services, context),
  // The NAS refuses no Filter-Id for being absent; a session that is gone has no filters.
  isGone: ({ errorCause }) => errorCause === ERROR_CAUSE['Session-Context-Not-Found'],
  mayBeGone: () => false,
  // A list that the session has already is no error.
  isThere: () => false,
  serviceRecords: ({ serviceRecords }) => SERVICE_RECORDS[serviceRecords],
};

/** @throws RangeError where a service is called as the NAS calls that there is none */
function filters(activated: readonly TermsAtNas[], { staying, options }: Context): Attribute[] {
  // Sessions of an earlier release lack the options.
  const { noService = NO_SERVICE, oneAtATime = false } = options;
  const all = oneAtATime ? [...activated, ...staying].slice(0, 1) : [...staying, ...activated];
  const names = all.map(({ activation, spelling }) => spelling ?? activation);
  if (names.includes(noService)) {
    throw new RangeError(`${noService} is the Filter-Id of a session without services`);
  }
  return (names.length === 0 ? [noService] : names).map((value) => ({ name: 'Filter-Id', value }));
}
