// Juniper E-series and MX: vendor 4874, one tag for each activation and what belongs to it.

import { NAS_IDENTIFICATION } from '../identity.ts';
import { ERROR_CAUSE } from '../radius/attributes.ts';
import type { Attribute } from '../radius/codec.ts';
import type { Statistics } from '../services/catalogue.ts';
import type { ServiceTerms } from '../subscriber/session.ts';
import type { Dialect } from './dialects.ts';

/** ERX-Service-Statistics. */
export const ERX_STATISTICS: Readonly<Record<Statistics, number>> = { off: 0, time: 1, 'time+volume': 2 };

/** Tags run from 1 to 8 ("Using Tags with RADIUS Attributes"). */
export const ERX_MAX_TAG = 8;

export const erx: Dialect = {
  identification: ['Acct-Session-Id', 'User-Name', 'ERX-Virtual-Router-Name', ...NAS_IDENTIFICATION],
  servicesPerCommand: { activate: ERX_MAX_TAG, deactivate: ERX_MAX_TAG },
  activate: (services) => services.flatMap((service, index) => activation(service, index + 1)),
  deactivate: (services, { tagDeactivations }) =>
    services.map(({ activation }, index) => ({
      name: 'ERX-Service-Deactivate',
      ...(tagDeactivations && { tag: index + 1 }),
      value: activation,
    })),
  alreadyGone: [ERROR_CAUSE['Session-Context-Not-Found']],
};

function activation(service: ServiceTerms, tag: number): Attribute[] {
  const thresholds: Attribute[] = [
    { name: 'ERX-Service-Timeout', tag, value: service.timeoutSeconds },
    { name: 'ERX-Service-Volume', tag, value: service.volumeMegabytes },
    { name: 'ERX-Service-Acct-Interval', tag, value: service.interimIntervalSeconds },
  ];
  return [
    { name: 'ERX-Service-Activate', tag, value: service.activation },
    { name: 'ERX-Service-Statistics', tag, value: ERX_STATISTICS[service.statistics] },
    ...thresholds.filter(({ value }) => value !== 0),
  ];
}
