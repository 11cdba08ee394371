// What the readers of requests share: each gives what it has read, or the refusal that the client gets.

import type { AttributeName, AttributeValue, ERROR_CAUSE } from '../radius/attributes.ts';
import { type Attribute, allValues } from '../radius/codec.ts';

/** Why a request cannot be carried out, whatever the state of its session is. */
export interface Refusal {
  readonly errorCause: keyof typeof ERROR_CAUSE;
  readonly reason: string;
}

/** A value that was read, or the refusal. */
export type Reading<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly refusal: Refusal };

/** A refusal with that Error-Cause (RFC 5176 section 3.5); `reason` is for logs and operators. */
export function refused(errorCause: Refusal['errorCause'], reason: string): Reading<never> {
  return { ok: false, refusal: { errorCause, reason } };
}

/** The value of the one attribute of that name, undefined where there is none; Invalid-Request where there are two. */
export function atMostOne<N extends AttributeName>(
  attributes: readonly Attribute[],
  name: N,
): Reading<AttributeValue<N> | undefined> {
  const [value, ...others] = allValues(attributes, name);
  return others.length === 0
    ? { ok: true, value }
    : refused('Invalid-Request', `${name} occurs more than once`);
}

/** Thrown at the first fault of a request; its reader catches it. */
export class Refused extends Error {
  readonly refusal: Refusal;
  constructor(errorCause: Refusal['errorCause'], reason: string) {
    super(reason);
    this.refusal = { errorCause, reason };
  }
}

/** @throws Refused where there is a refusal instead of a value. */
export function orRefuse<T>(reading: Reading<T>): T {
  if (reading.ok) return reading.value;
  throw new Refused(reading.refusal.errorCause, reading.refusal.reason);
}
