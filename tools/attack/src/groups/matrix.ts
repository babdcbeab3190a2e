import { SCOPES } from '@partyline/contracts/operation';
import pMap from 'p-map';
import { type Group, type Tally } from '../group.ts';
import { rejectionFault, type HttpReply } from '../http.ts';
import { pathOf, routesOf, type Route } from '../matrix/routes.ts';
import { describeChanges, snapshotTenant } from '../tenant-snapshot.ts';
import { newKey, type Party, type Target } from '../target.ts';

interface Attempt {
  readonly what: string;
  readonly headers?: Record<string, string>;
  readonly address: string;
  readonly body?: string | undefined;
  /**
   * The only valid statuses of a rejection. Without them any reply is valid that holds no value of
   * the victim.
   */
  readonly expected?: readonly number[];
}

/** Ids that no part of the system creates. */
const HOSTILE_IDS = [
  `' OR '1'='1`,
  `room_x'; SET LOCAL ROLE partyline_platform; --`,
  '../../v1/rooms',
  'room_\u0000',
  '%00',
  '..%2f..%2fmetrics',
  '*',
  'null',
  '__proto__',
  '\u202Eroom',
  '-1',
];

/** Calls every route of the OpenAPI document, so also every new route, without permission. */
export const matrix: Group = {
  name: 'routes',
  summary:
    'every route with: no key; an unknown, revoked or expired key; a wrong scope; the ids of another tenant; ' +
    'an operator key on a tenant route and the reverse; hostile ids',
  minInputs: 800,
  async run(target, tally) {
    const routes = routesOf(target.document);
    const before = await snapshotTenant(target.owner, target.victim.tenantId);
    // In this order: a request with another tenant's id puts that id into the attacker's audit log.
    const isAudit = ({ path }: Route): boolean => path === '/v1/audit';
    const phases = [
      routes.filter(isAudit),
      routes.filter((route) => isRead(route) && !isAudit(route)),
      routes.filter((route) => !isRead(route)),
    ];
    for (const phase of phases)
      await pMap(
        phase,
        async (route) => {
          for (const one of await attemptsOn(target, route)) await tryAttempt(target, route, one, tally);
        },
        { concurrency: 8 },
      );
    // Finds a rejection that had an effect.
    const changed = describeChanges(before, await snapshotTenant(target.owner, target.victim.tenantId));
    tally.record('all of them together', changed);
  },
};

const isRead = ({ method }: Route): boolean => method === 'GET';

const bearer = (key: string): Record<string, string> => ({ authorization: `Bearer ${key}` });

async function attemptsOn(target: Target, route: Route): Promise<Attempt[]> {
  const { attacker, victim, deadKeys } = target;
  const own = pathOf(route, attacker.ids);
  const { body } = route;
  const unauthenticated: Attempt[] = [
    { what: 'no key', address: own, body, expected: [401] },
    { what: 'an unknown key', headers: bearer(newKey()), address: own, body, expected: [401] },
    {
      what: 'a known id with another secret',
      headers: bearer(victim.key.slice(0, -43) + newKey().slice(-43)),
      address: pathOf(route, victim.ids),
      body,
      expected: [401],
    },
    { what: 'a revoked key', headers: bearer(deadKeys.revoked), address: own, body, expected: [401] },
    { what: 'an expired key', headers: bearer(deadKeys.expired), address: own, body, expected: [401] },
    {
      what: 'the key in the query',
      address: `${own}?api_key=${attacker.key}&authorization=Bearer%20${attacker.key}`,
      body,
      expected: [401],
    },
    {
      what: 'the key as Basic',
      headers: { authorization: `Basic ${Buffer.from(`${attacker.key}:`).toString('base64')}` },
      address: own,
      body,
      expected: [401],
    },
    {
      what: 'no key, with override headers',
      headers: {
        'x-http-method-override': route.method === 'GET' ? 'POST' : 'GET',
        'x-original-url': '/healthz',
        'x-forwarded-for': '127.0.0.1',
      },
      address: own,
      body,
      expected: [401],
    },
  ];
  unauthenticated.push({
    what: 'an unknown operator key',
    headers: bearer(`plop_dev_${newKey().slice(-43)}`),
    address: own,
    body,
    expected: [401],
  });
  if (route.scope === 'operator') return [...unauthenticated, ...operatorRouteAttempts(target, route)];
  const less = SCOPES.filter((scope) => scope !== route.scope && scope !== 'admin');
  const wrongScope: Attempt[] = [
    {
      what: `every scope but ${route.scope}`,
      headers: bearer(await target.createKeyWithScopes(less)),
      address: own,
      body,
      expected: [403],
    },
    {
      what: 'an operator key',
      headers: bearer(target.operatorKey),
      address: pathOf(route, victim.ids),
      body,
      expected: [403],
    },
    {
      what: 'no scope at all',
      headers: bearer(await target.createKeyWithScopes([])),
      address: own,
      body,
      expected: [403],
    },
  ];
  return [...unauthenticated, ...wrongScope, ...otherTenantAttempts(route, attacker, victim)];
}

/** A tenant's key on an operator route. */
const operatorRouteAttempts = ({ attacker, victim }: Target, route: Route): Attempt[] =>
  [attacker.ids, victim.ids].map((ids, at) => ({
    what: `a tenant's key with every scope, on ${at === 0 ? 'the own tenant' : 'another tenant'}`,
    headers: bearer(attacker.key),
    address: pathOf(route, ids),
    body: route.body,
    expected: [401, 403],
  }));

/** A tenant's key with the ids of another tenant. */
function otherTenantAttempts(route: Route, attacker: Party, victim: Party): Attempt[] {
  const { body, parameters, queries } = route;
  const headers = bearer(attacker.key);
  const address = (ids: Readonly<Record<string, string>>): string => pathOf(route, ids);
  const otherIds: Attempt[] =
    parameters.length === 0
      ? []
      : [{ what: 'the ids of another tenant', headers, address: address(victim.ids), body, expected: [404] }];
  // Replaces one id at a time: for example its own room with another tenant's participant.
  const mixedIds: Attempt[] =
    parameters.length < 2
      ? []
      : parameters.map((name) => ({
          what: `the ${name} of another tenant among its own ids`,
          headers,
          address: address({ ...attacker.ids, [name]: victim.ids[name]! }),
          body,
          expected: [404],
        }));
  const hostileIds: Attempt[] = parameters.flatMap((name) =>
    HOSTILE_IDS.map((id) => ({
      what: `${JSON.stringify(id)} for ${name}`,
      headers,
      address: address({ ...attacker.ids, [name]: id }),
      body,
      expected: [400, 404, 422],
    })),
  );
  // Lists with another tenant's ids in every query parameter.
  const queryAttempts: Attempt[] = !isRead(route)
    ? []
    : queries.flatMap((name) =>
        Object.values(victim.ids).map((id) => ({
          what: `${name}=${id.split('_')[0]}_... of another tenant`,
          headers,
          address: `${address(attacker.ids)}?${name}=${encodeURIComponent(id)}`,
        })),
      );
  const ownList: Attempt[] = isRead(route) ? [{ what: 'its own list', headers, address: address(attacker.ids) }] : [];
  return [...otherIds, ...mixedIds, ...hostileIds, ...queryAttempts, ...ownList];
}

async function tryAttempt(
  { send, apiUrl, victim }: Target,
  route: Route,
  { what, headers = {}, address, body, expected }: Attempt,
  tally: Tally,
): Promise<void> {
  const answer = await send({
    method: route.method,
    url: apiUrl + address,
    headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body }),
  });
  tally.record(
    `${route.method} ${route.path} with ${what}`,
    (expected === undefined ? serverFault(answer) : rejectionFault(answer, expected)) ??
      leakFault(answer, address, victim),
  );
}

const serverFault = ({ status }: HttpReply): string | null =>
  status >= 500 || status === 0 ? `answered ${status}` : null;

/** The fault in a reply that holds a private value of the victim which the request did not hold. */
function leakFault({ body }: HttpReply, address: string, { privateValues }: Party): string | null {
  const leaked = privateValues.find((mark) => !decodeURIComponent(address).includes(mark) && body.includes(mark));
  return leaked === undefined ? null : 'revealed a value of another tenant';
}
