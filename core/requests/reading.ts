// What the readers of requests share. Each returns what it has read, or the refusal that the client gets.

import type { AttributeName, AttributeValue, ERROR_CAUSE } from '../radius/attributes.ts';
import { type Attribute, allValues } from '../radius/codec.ts';

/** Why a request is refused, whatever the state of its session: the Error-Cause (RFC 5176 section 3.5), and a reason. */
export interface Refusal {
  readonly errorCause: keyof typeof ERROR_CAUSE;
  readonly reason: string;
}

/** What was read, or a refusal. */
export type Reading<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly refusal: Refusal };

/** A refusal. `reason` says what is wrong with which attribute, for logs and history. */
export function refused(errorCause: Refusal['errorCause'], reason: string): Reading<never> {
  return { ok: false, refusal: { errorCause, reason } };
}

/** The value of the only attribute of that name; undefined if there is none. Refused with Invalid-Request if several. */
export function atMostOne<N extends AttributeName>(
  attributes: readonly Attribute[],
  name: N,
): Reading<AttributeValue<N> | undefined> {
  const [value, ...others] = allValues(attributes, name);
  return others.length === 0
    ? { ok: true, value }
    : refused('Invalid-Request', `${name} occurs more than once`);
}
