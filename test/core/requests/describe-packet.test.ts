import { describe, expect, it } from 'vitest';
import { ERROR_CAUSE } from '../../../core/radius/attributes.ts';
import { CODE } from '../../../core/radius/packet.ts';
import {
  describeAnswer,
  describeErrorCause,
  describeReply,
  errorCauseLabel,
} from '../../../core/requests/describe-packet.ts';

describe('a reply in words', () => {
  it.each([
    [CODE.CoaAck, undefined, 'CoA-ACK'],
    [CODE.CoaNak, undefined, 'CoA-NAK'],
    [CODE.CoaNak, 506, 'CoA-NAK 506 Resources-Unavailable'],
    [CODE.DisconnectAck, undefined, 'Disconnect-ACK'],
    [CODE.DisconnectNak, 406, 'Disconnect-NAK 406 Unsupported-Extension'],
    [99, undefined, 'Code 99'],
  ])('of code %i with the Error-Cause %s is %s', (code, errorCause, words) => {
    expect(describeReply(code, errorCause)).toBe(words);
  });

  it('has the number alone of an Error-Cause that RFC 5176 does not define', () => {
    expect(describeErrorCause(199)).toBe('199');
    expect(describeAnswer('nak', 199)).toBe('CoA-NAK 199');
    expect(describeAnswer('ack')).toBe('CoA-ACK');
  });

  it('has one label for all Error-Causes that RFC 5176 does not define', () => {
    expect(errorCauseLabel(506)).toBe('506');
    const labels = Array.from({ length: 10_000 }, (_, errorCause) => errorCauseLabel(errorCause));
    expect(new Set(labels).size).toBe(Object.keys(ERROR_CAUSE).length + 1);
    expect(errorCauseLabel(2 ** 32 - 1)).toBe('other');
  });
});
