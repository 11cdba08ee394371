// Finds subscriber sessions by whatever identifies them, without their NAS: an operator seldom knows it.
import { type DynamoDBClient, paginateQuery } from '@aws-sdk/client-dynamodb';
import { marshall, unmarshall } from '@aws-sdk/util-dynamodb';
import { type IndexedAttribute, sessionKeyOf, TABLE } from '../core/cloud/table.ts';
import { canonicalIdentity } from '../core/identity.ts';
import { claimedKey, closedKey, LOOK_UP_ATTRIBUTES } from '../core/look-up.ts';
import { canonicalIpv6, isIpv6 } from '../core/radius/value-types.ts';
import type { Session } from '../core/subscriber/session.ts';
import { createSessionStore } from '../functions/shared/session-store.ts';

/**
 * The sessions, also closed ones, of which one identification attribute that has an index is `name`, known or claimed, in any
 * spelling of an address; at most `limit`, each read consistently. The indexes are eventually consistent: a session that was
 * created within the last second or so may be missing.
 */
export async function* findSessions(
  client: DynamoDBClient,
  tableName: string,
  name: string,
  limit = 1_000,
): AsyncGenerator<Session> {
  const { read } = createSessionStore(client, tableName);
  for (const key of await findKeys(client, tableName, name, limit)) {
    const session = await read(sessionKeyOf(key));
    if (session !== undefined && !session.isForgotten) yield session;
  }
}

/** Sorted partition keys. Each is there once, even where several attributes of a session are equal. */
async function findKeys(
  client: DynamoDBClient,
  tableName: string,
  name: string,
  limit: number,
): Promise<readonly string[]> {
  const found = await Promise.all(
    lookUps(name).map(async ({ attribute, key }) => {
      const index = TABLE.lookUpIndexes[attribute];
      const keys: string[] = [];
      const pages = paginateQuery(
        { client, pageSize: limit },
        {
          TableName: tableName,
          IndexName: index,
          KeyConditionExpression: `${index} = :key`,
          ExpressionAttributeValues: marshall({ ':key': key }),
          ProjectionExpression: TABLE.partitionKey,
        },
      );
      for await (const { Items = [] } of pages) {
        keys.push(...Items.map((item) => String(unmarshall(item)[TABLE.partitionKey])));
        if (keys.length >= limit) break;
      }
      return keys;
    }),
  );
  return [...new Set(found.flat())].sort().slice(0, limit);
}

/** What `name` may be, as the indexes have it. */
function lookUps(name: string): readonly { readonly attribute: IndexedAttribute; readonly key: string }[] {
  const ofSubscriber = LOOK_UP_ATTRIBUTES.flatMap((attribute) =>
    [...new Set([spelling(name), canonicalIdentity(attribute, name), ...octetsOf(attribute, name)])]
      .flatMap((key) => [key, claimedKey(key), closedKey(key)])
      .map((key) => ({ attribute, key })),
  );
  return [{ attribute: 'Acct-Session-Id', key: name }, ...ofSubscriber];
}

/** An IPv6 address or prefix as RFC 5952 writes it; any other text as it is. */
function spelling(name: string): string {
  const [address = '', ...length] = name.split('/');
  return isIpv6(address) ? [canonicalIpv6(address), ...length].join('/') : name;
}

/** Chargeable-User-Identity is octets: in hexadecimal, or as the text that they are. */
function octetsOf(attribute: IndexedAttribute, name: string): readonly string[] {
  if (attribute !== 'Chargeable-User-Identity') return [];
  const digits = name.replace(/^0x/, '').toLowerCase();
  const hexadecimal = /^([0-9a-f]{2})+$/.test(digits) ? [digits] : [];
  return [...hexadecimal, Buffer.from(name).toString('hex')];
}
