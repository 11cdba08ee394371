import { describe, expect, it } from 'vitest';
import { compileEventFilter } from '../../../../local/cloud/event-source-mapper/event-filter.ts';

describe('an event filter', () => {
  const passes = compileEventFilter({
    eventName: ['INSERT', 'MODIFY'],
    dynamodb: { Keys: { sk: { S: ['STATE'] } } },
  });

  it('passes an event that has one of the values at every path', () => {
    expect(passes({ eventName: 'MODIFY', dynamodb: { Keys: { sk: { S: 'STATE' } } } })).toBe(true);
  });

  it.each([
    ['another value', { eventName: 'INSERT', dynamodb: { Keys: { sk: { S: 'EVENT#1' } } } }],
    ['another type', { eventName: 'INSERT', dynamodb: { Keys: { sk: { N: 'STATE' } } } }],
    [
      'an object in place of the value',
      { eventName: 'INSERT', dynamodb: { Keys: { sk: { S: { S: 'STATE' } } } } },
    ],
    ['nothing at one path', { dynamodb: { Keys: { sk: { S: 'STATE' } } } }],
    ['null on the way', { eventName: 'INSERT', dynamodb: null }],
  ])('holds back an event that has %s', (_, event) => {
    expect(passes(event)).toBe(false);
  });

  it('passes everything when it asks for nothing', () => {
    expect(compileEventFilter({})({})).toBe(true);
  });

  it.each([
    [{ dynamodb: { Keys: { sk: { S: [{ prefix: 'ST' }] } } } }, 'dynamodb.Keys.sk.S', '{"prefix":"ST"}'],
    [{ $or: [{ eventName: ['INSERT'] }] }, '$or', '{"eventName":["INSERT"]}'],
    [{ eventName: [] }, 'eventName', 'an empty list'],
  ])('refuses what it does not understand: %j', (pattern, path, found) => {
    expect(() => compileEventFilter(pattern)).toThrow(
      `the filter on ${path} must list strings, numbers or booleans, not ${found}`,
    );
  });
});
