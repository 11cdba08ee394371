import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Attribute, decodeAttributes, encodeAttributes } from '../../../core/radius/codec.ts';
import { nasWords } from '../../../core/requests/nas-words.ts';
import { craft, packetOf } from '../radius/craft.ts';

/** What a NAS says with these attributes, as they come out of a packet. */
function said(...attributes: readonly Attribute[]): string | undefined {
  return nasWords(
    decodeAttributes(packetOf(craft({ attributes: [Buffer.from(encodeAttributes(attributes))] }))),
  );
}

const replyMessage = (value: string): Attribute => ({ name: 'Reply-Message', value });
const octets = (type: number, value: Uint8Array, vendor?: number): Attribute => ({
  unknown: vendor === undefined ? { type } : { type: 26, vendor, vendorType: type },
  value,
});

describe('what a NAS says in words', () => {
  it.each<[string, readonly Attribute[], string | undefined]>([
    ['nothing', [{ name: 'Error-Cause', value: 506 }], undefined],
    ['Junos OS', [{ name: 'ERX-Action-Reason', value: '122 Execution failure' }], '122 Execution failure'],
    ['Cisco ISG', [replyMessage('No valid Session')], 'No valid Session'],
    ['several Reply-Messages, in their order', [replyMessage('one'), replyMessage('two')], 'one; two'],
    [
      'Nokia SR OS',
      [
        { name: 'Alc-Error-Code', value: 17 },
        { name: 'Alc-Error-Message', value: 'no such policer' },
      ],
      'no such policer; Alc-Error-Code = 17',
    ],
    [
      'Ericsson and Redback, by the tag of the service',
      [
        { name: 'Service-Error-Cause', tag: 1, value: 0 },
        { name: 'Service-Error-Cause', tag: 2, value: 551 },
        { name: 'Session-Error-Msg', value: 'service not found' },
      ],
      'service not found; Service-Error-Cause:2 = 551',
    ],
    [
      "the vendor's text before Reply-Message",
      [replyMessage('denied'), { name: 'ERX-Action-Reason', value: 'busy' }],
      'busy; denied',
    ],
    ['a code that is a text', [octets(226, Buffer.from('E-0017'), 6527)], 'Alc-Error-Code = E-0017'],
    ['a text that is not UTF-8', [octets(18, Buffer.from('caf\xe9', 'latin1'))], 'caf\ufffd'],
    ['blanks alone', [replyMessage('  ')], undefined],
    ['control characters alone', [replyMessage('\x00\x1b')], undefined],
  ])('%s', (_, attributes, text) => {
    expect(said(...attributes)).toBe(text);
  });

  it('goes on in the next attribute of its kind where one is full', () => {
    const whole = 'я'.repeat(130);
    const bytes = Buffer.from(whole);
    // The attribute is full in the middle of a character.
    const parts = [bytes.subarray(0, 247), bytes.subarray(247)];
    expect(said(...parts.map((part) => octets(227, part, 6527)))).toBe(whole);
  });

  it('is on one line, bounded, and has nothing that a terminal obeys, whatever the octets', () => {
    const value = fc.uint8Array({ minLength: 1, maxLength: 247 });
    const attribute = fc.oneof(
      value.map((one) => octets(18, one)),
      value.map((one) => octets(178, one, 4874)),
      value.map((one) => octets(227, one, 6527)),
      value.map((one) => octets(226, one, 6527)),
      value.map((one) => octets(193, one, 2352)),
    );
    fc.assert(
      fc.property(fc.array(attribute, { minLength: 1, maxLength: 8 }), (attributes) => {
        const text = said(...attributes) ?? 'nothing';
        expect(text.length).toBeLessThanOrEqual(200);
        expect(text).toMatch(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+$/u);
      }),
    );
  });

  it('keeps only what comes first of a long text', () => {
    const text = said(replyMessage('x'.repeat(250)));
    expect(text).toBe(`${'x'.repeat(199)}…`);
  });
});
