import { describe, expect, it } from 'vitest';
import { CODE } from '../../../core/radius/packet.ts';
import { describeAnswer, describeErrorCause, describeReply } from '../../../core/requests/describe-packet.ts';

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
});
