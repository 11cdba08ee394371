// What clients ask for, and the CoA-Requests that say so.
import { signRequest } from '../../../core/radius/authenticator.ts';
import { type Attribute, encodeAttributes } from '../../../core/radius/codec.ts';
import { CODE } from '../../../core/radius/packet.ts';
import { nameOf } from '../../../core/services/activation.ts';
import type { Choices } from './choices.ts';
import { ACTIVATIONS, canonical, SECRET } from './deployment.ts';

interface Wanted {
  readonly activation: string;
  readonly timeoutSeconds?: number;
}

export interface Wish {
  /** Absent in a request that names its session by Acct-Session-Id alone. */
  readonly userName?: string;
  /** It names its session by User-Name alone. */
  readonly isByName?: true;
  readonly activate: readonly Wanted[];
  /** As the client spells them. */
  readonly deactivate: readonly string[];
  /** What its Event-Timestamp says, if it has one. */
  readonly timestampMs?: number;
}

/** Not in the catalogue. */
export const UNKNOWN_SERVICE = 'platinum';

/** @param has what the subscriber has, at the NAS or in the table, and most deactivations are about */
export function chooseWish(
  choices: Choices,
  { userName, has, nowMs }: { userName: string; has: readonly string[]; nowMs: number },
): Wish {
  const first = choices.oneOf(ACTIVATIONS);
  const second = choices.oneOf(ACTIVATIONS.filter((activation) => activation !== first));
  const old = has.length > 0 && !choices.chance(30) ? choices.oneOf(has) : second;
  const nothing = { userName, activate: [], deactivate: [] };
  const one = { ...nothing, activate: [{ activation: first }] };
  const wish = choices.weighted<Wish>([
    [8, one],
    [3, { ...one, activate: [{ activation: first }, { activation: second }] }],
    [2, { ...one, activate: [{ activation: first, timeoutSeconds: 60 }] }],
    [2, canonical(old) === first ? one : { ...one, deactivate: [old] }],
    [3, { ...nothing, deactivate: [old] }],
    [1, { ...nothing, deactivate: [nameOf(old)] }],
    [1, nameOf(old) === first ? one : { ...one, deactivate: [nameOf(old)] }],
    [1, { ...nothing, deactivate: [choices.oneOf([...ACTIVATIONS, UNKNOWN_SERVICE])] }],
    [2, { ...nothing, deactivate: has.length > 0 ? has : [first, second] }],
    [1, { ...one, activate: [{ activation: first }, { activation: UNKNOWN_SERVICE }] }],
    [1, { ...one, userName: 'somebody.else' }],
    [1, { activate: one.activate, deactivate: [] }],
    [4, { ...one, isByName: true }],
    [1, { ...nothing, deactivate: [old], isByName: true }],
  ]);
  return choices.chance(50) ? { ...wish, timestampMs: nowMs } : wish;
}

/** The datagram that says so; with another Identifier it is another request. */
export function datagramOf(wish: Wish, acctSessionId: string, identifier: number): Uint8Array {
  const { userName, isByName, activate, deactivate, timestampMs } = wish;
  const attributes: readonly Attribute[] = [
    ...(userName === undefined ? [] : [{ name: 'User-Name', value: userName } as const]),
    ...(isByName ? [] : [{ name: 'Acct-Session-Id', value: acctSessionId } as const]),
    ...activate.flatMap(({ activation, timeoutSeconds }, index) =>
      activationOf(index + 1, activation, timeoutSeconds),
    ),
    ...deactivate.map((value) => ({ name: 'ERX-Service-Deactivate', value }) as const),
    ...(timestampMs === undefined
      ? []
      : [{ name: 'Event-Timestamp', value: Math.floor(timestampMs / 1000) } as const]),
  ];
  return signRequest(
    { code: CODE.CoaRequest, identifier, attributes: encodeAttributes(attributes) },
    SECRET.client,
  );
}

function activationOf(tag: number, value: string, timeoutSeconds: number | undefined): Attribute[] {
  const activation = { name: 'ERX-Service-Activate', tag, value } as const;
  return timeoutSeconds === undefined
    ? [activation]
    : [activation, { name: 'ERX-Service-Timeout', tag, value: timeoutSeconds }];
}

export function describeWish({ userName, isByName, activate, deactivate, timestampMs }: Wish): string {
  const words = [
    ...activate.map(
      ({ activation, timeoutSeconds }) =>
        `activate ${activation}${timeoutSeconds === undefined ? '' : ` for ${timeoutSeconds} s`}`,
    ),
    ...deactivate.map((activation) => `deactivate ${activation}`),
  ];
  return `${words.join(', ')} (${isByName ? 'by ' : ''}${userName ?? 'no name'}${timestampMs === undefined ? '' : ', Event-Timestamp'})`;
}
