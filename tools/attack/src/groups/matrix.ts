import { SCOPES } from '@partyline/contracts/operation';
import { inParallel, type Group, type Tally } from '../group.ts';
import { notRefused, type Sent } from '../http.ts';
import { addressOf, routesOf, type Route } from '../matrix/routes.ts';
import { difference, stateOf } from '../state.ts';
import { newKey, type Party, type Target } from '../target.ts';

interface Attempt {
  readonly what: string;
  readonly headers?: Record<string, string>;
  readonly address: string;
  readonly body?: string | undefined;
  /** The only statuses that refuse this as it should be; none: whatever it answers must hold nothing of the victim's. */
  readonly due?: readonly number[];
}

/** Ids as nobody makes them. */
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

/** Every route of the OpenAPI document against everybody who may not use it: a route that is added is attacked by being in the document. */
export const matrix: Group = {
  name: 'routes',
  says: 'every route × (no key, unknown, revoked, expired, wrong scope, another tenant’s ids, the wrong side’s key, hostile ids)',
  least: 800,
  async run(target, tally) {
    const routes = routesOf(target.document);
    const before = await stateOf(target.owner, target.victim.tenantId);
    await inParallel(routes, 8, async (route) => {
      for (const attempt of await attemptsOn(target, route)) await judge(target, route, attempt, tally);
    });
    // A refusal that did it all the same.
    const changed = difference(before, await stateOf(target.owner, target.victim.tenantId));
    tally.judge('all of them together', changed);
  },
};

const bearer = (key: string): Record<string, string> => ({ authorization: `Bearer ${key}` });

async function attemptsOn(target: Target, route: Route): Promise<Attempt[]> {
  const { attacker, victim, dead } = target;
  const own = addressOf(route, attacker.ids);
  const { body } = route;
  const strangers: Attempt[] = [
    { what: 'no key', address: own, body, due: [401] },
    { what: 'an unknown key', headers: bearer(newKey()), address: own, body, due: [401] },
    {
      what: 'a known id with another secret',
      headers: bearer(victim.key.slice(0, -43) + newKey().slice(-43)),
      address: addressOf(route, victim.ids),
      body,
      due: [401],
    },
    { what: 'a revoked key', headers: bearer(dead.revoked), address: own, body, due: [401] },
    { what: 'an expired key', headers: bearer(dead.expired), address: own, body, due: [401] },
    {
      what: 'the key in the query',
      address: `${own}?api_key=${attacker.key}&authorization=Bearer%20${attacker.key}`,
      body,
      due: [401],
    },
    {
      what: 'the key as Basic',
      headers: { authorization: `Basic ${Buffer.from(`${attacker.key}:`).toString('base64')}` },
      address: own,
      body,
      due: [401],
    },
    {
      what: 'no key, another method on top',
      headers: {
        'x-http-method-override': route.method === 'GET' ? 'POST' : 'GET',
        'x-original-url': '/healthz',
        'x-forwarded-for': '127.0.0.1',
      },
      address: own,
      body,
      due: [401],
    },
  ];
  strangers.push({
    what: 'an operator’s key that nobody has',
    headers: bearer(`plop_dev_${newKey().slice(-43)}`),
    address: own,
    body,
    due: [401],
  });
  if (route.scope === 'operator') return [...strangers, ...onOperators(target, route)];
  const less = SCOPES.filter((scope) => scope !== route.scope && scope !== 'admin');
  const wrongScope: Attempt[] = [
    {
      what: `every scope but ${route.scope}`,
      headers: bearer(await target.keyWith(less)),
      address: own,
      body,
      due: [403],
    },
    {
      what: 'the operator’s key',
      headers: bearer(target.operatorKey),
      address: addressOf(route, victim.ids),
      body,
      due: [403],
    },
    { what: 'no scope at all', headers: bearer(await target.keyWith([])), address: own, body, due: [403] },
  ];
  return [...strangers, ...wrongScope, ...onOthers(route, attacker, victim)];
}

/** A tenant at the operator's door. */
const onOperators = ({ attacker, victim }: Target, route: Route): Attempt[] =>
  [attacker.ids, victim.ids].map((ids, at) => ({
    what: `a tenant’s key with every scope, on ${at === 0 ? 'itself' : 'another'}`,
    headers: bearer(attacker.key),
    address: addressOf(route, ids),
    body: route.body,
    due: [401, 403],
  }));

/** A tenant at another's things. */
function onOthers(route: Route, attacker: Party, victim: Party): Attempt[] {
  const { body, parameters, queries } = route;
  const headers = bearer(attacker.key);
  const address = (ids: Readonly<Record<string, string>>): string => addressOf(route, ids);
  const theirs: Attempt[] =
    parameters.length === 0
      ? []
      : [{ what: 'another tenant’s ids', headers, address: address(victim.ids), body, due: [404] }];
  // Its own room with another's participant in it, and so on: each id alone.
  const mixed: Attempt[] =
    parameters.length < 2
      ? []
      : parameters.map((name) => ({
          what: `another tenant’s ${name} among its own`,
          headers,
          address: address({ ...attacker.ids, [name]: victim.ids[name]! }),
          body,
          due: [404],
        }));
  const hostile: Attempt[] = parameters.flatMap((name) =>
    HOSTILE_IDS.map((id) => ({
      what: `${JSON.stringify(id)} for ${name}`,
      headers,
      address: address({ ...attacker.ids, [name]: id }),
      body,
      due: [400, 404, 422],
    })),
  );
  // Lists by another's ids, in whatever the query takes.
  const asked: Attempt[] =
    route.method !== 'GET'
      ? []
      : queries.flatMap((name) =>
          Object.values(victim.ids).map((id) => ({
            what: `${name}=${id.split('_')[0]}_… of another tenant`,
            headers,
            address: `${address(attacker.ids)}?${name}=${encodeURIComponent(id)}`,
          })),
        );
  const plain: Attempt[] =
    route.method === 'GET' ? [{ what: 'its own list', headers, address: address(attacker.ids) }] : [];
  return [...theirs, ...mixed, ...hostile, ...asked, ...plain];
}

async function judge(
  { send, apiUrl, victim }: Target,
  route: Route,
  { what, headers = {}, address, body, due }: Attempt,
  tally: Tally,
): Promise<void> {
  const answer = await send({
    method: route.method,
    url: apiUrl + address,
    headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body }),
  });
  tally.judge(
    `${route.method} ${route.path} with ${what}`,
    (due === undefined ? fault(answer) : notRefused(answer, due)) ?? leak(answer, address, victim),
  );
}

const fault = ({ status }: Sent): string | null => (status >= 500 || status === 0 ? `answered ${status}` : null);

/** What the victim alone may be shown, and the attacker did not bring along. */
function leak({ body }: Sent, address: string, { marks }: Party): string | null {
  const told = marks.find((mark) => !decodeURIComponent(address).includes(mark) && body.includes(mark));
  return told === undefined ? null : 'showed what is another tenant’s';
}
