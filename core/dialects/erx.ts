// Juniper E-series and MX: vendor 4874. Each activation and its thresholds share a tag.

import * as v from 'valibot';
import { NAS_IDENTITY_ATTRIBUTES } from '../identity.ts';
import { ERROR_CAUSE } from '../radius/attributes.ts';
import type { Attribute } from '../radius/codec.ts';
import type { Statistics } from '../services/terms.ts';
import type { CommandContext, Dialect, TermsAtNas } from './dialect.ts';
import { erxServiceRecord } from './service-records.ts';

/** Values of ERX-Service-Statistics. */
export const ERX_STATISTICS: Readonly<Record<Statistics, number>> = { off: 0, time: 1, 'time+volume': 2 };

/** Tags run from 1 to 8 ("Using Tags with RADIUS Attributes"). */
export const ERX_MAX_TAG = 8;

/** A type and not an interface, which would lack the index signature of DialectOptions. */
export type ErxOptions = {
  /** Give each ERX-Service-Deactivate a tag of its own, as some releases of Junos OS require. */
  readonly tagDeactivations: boolean;
};

export const erx: Dialect<ErxOptions> = {
  options: { tagDeactivations: v.optional(v.boolean('expected true or false'), false) },
  identification: ['Acct-Session-Id', 'User-Name', 'ERX-Virtual-Router-Name', ...NAS_IDENTITY_ATTRIBUTES],
  tellsStatistics: true,
  servicesPerCommand: { activate: ERX_MAX_TAG, deactivate: ERX_MAX_TAG },
  activate: (services) => services.flatMap((service, index) => activation(service, index + 1)),
  deactivate: deactivations,
  together: (services, names, context) => [
    ...services.flatMap((service, index) => activation(service, index + 1)),
    ...deactivations(names, context),
  ],
  isGone: ({ errorCause }) => errorCause === ERROR_CAUSE['Session-Context-Not-Found'],
  // JunosE leaves the Error-Cause out for any failure without a code of its own; Junos OS gives 404 with Action-Reason.
  mayBeGone: ({ errorCause, text }) =>
    errorCause === undefined || (errorCause === ERROR_CAUSE['Invalid-Request'] && text !== undefined),
  // Either make answers a second activation with an ACK.
  isThere: () => false,
  serviceRecords: () => erxServiceRecord,
};

function deactivations(names: readonly string[], { options }: CommandContext<ErxOptions>): Attribute[] {
  return names.map((value, index) => ({
    name: 'ERX-Service-Deactivate',
    ...(options.tagDeactivations && { tag: index + 1 }),
    value,
  }));
}

function activation(service: TermsAtNas, tag: number): Attribute[] {
  const thresholds: Attribute[] = [
    { name: 'ERX-Service-Timeout', tag, value: service.timeoutSeconds },
    { name: 'ERX-Service-Volume', tag, value: service.volumeMegabytes },
    { name: 'ERX-Service-Acct-Interval', tag, value: service.interimIntervalSeconds },
  ];
  return [
    { name: 'ERX-Service-Activate', tag, value: service.spelling ?? service.activation },
    { name: 'ERX-Service-Statistics', tag, value: ERX_STATISTICS[service.statistics] },
    ...thresholds.filter(({ value }) => value !== 0 || service.isRefresh),
  ];
}
