import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { seededRandomInt } from '@partyline/testing/seeded';
import { inParallel, type Group } from '../group.ts';
import { newKey, type Target } from '../target.ts';

/** Things that must never be written down, put wherever a service might write down what it was given; then every line of every log is read. */
export const canaries: Group = {
  name: 'logs',
  says: 'secrets, keys, PINs, tokens and whole phone numbers, put where services read them, looked for in every log and metric',
  least: 50,
  async run(target, tally) {
    const random = seededRandomInt(target.seed ^ 0x5eed);
    const digits = (count: number): string => Array.from({ length: count }, () => 1 + random(9)).join('');
    const phones = Array.from({ length: 12 }, () => `4420${digits(8)}`);
    const keyed = Array.from({ length: 12 }, () => digits(9));
    const keys = Array.from({ length: 10 }, newKey);
    await spread(target, { phones, keyed, keys });

    const { credentials } = target.stack;
    const secrets: [string, string][] = [
      ...phones.map((phone): [string, string] => ['a phone number', phone]),
      ...keyed.map((pin): [string, string] => ['keyed digits', pin]),
      ...keys.map((key): [string, string] => ['the secret of an unknown key', key.slice(-43)]),
      ...[target.victim, target.attacker].flatMap(({ key, pin, client }): [string, string][] => [
        ['an API key’s secret', key.slice(-43)],
        ['a room’s PIN', pin],
        ['a client token', client.token],
      ]),
      ...[target.dead.expired, target.dead.revoked].map((key): [string, string] => [
        'a dead key’s secret',
        key.slice(-43),
      ]),
      ['a caller’s number', '442079460021'],
      ['another caller’s number', '442079460022'],
      ['the PIN key', credentials.pinKey],
      ...(['accountSecret', 'signatureSecret', 'projectSecret', 'callbackSecret'] as const).map(
        (name): [string, string] => [`the vendor’s ${name}`, credentials.vendor[name]],
      ),
      ['the private key', credentials.vendor.privateKey.split('\n')[3] ?? 'none'],
      [
        'the database’s address',
        new URL(await target.stack.postgres.serviceUrlOf(target.stack.databaseUrl)).password ||
          'no password, no canary',
      ],
    ];
    for (const { vendor } of [target.victim, target.attacker]) {
      for (const name of ['accountSecret', 'signatureSecret', 'callbackSecret'] as const)
        secrets.push([`a tenant’s own ${name}`, vendor[name]]);
      secrets.push(['a tenant’s own private key', vendor.privateKey.split('\n')[3] ?? 'none']);
    }
    const written = await readLogs(target);
    for (const [what, secret] of secrets) {
      // Not within a longer run of digits: a time in milliseconds may hold any nine of them.
      const where = /^\d+$/.test(secret)
        ? written.find(({ text }) => new RegExp(`(?<!\\d)\\+?${secret}(?!\\d)`).test(text))
        : written.find(({ text }) => text.includes(secret));
      tally.judge(what, where === undefined ? null : `stands in ${where.name}`);
    }
  },
};

/** Each canary into everything that could be quoted in an error or a line about a request. */
async function spread(
  { send, carrier, apiUrl, victim, attacker, stack }: Target,
  { phones, keyed, keys }: { phones: readonly string[]; keyed: readonly string[]; keys: readonly string[] },
): Promise<void> {
  const number = stack.numbers[0]!.e164.slice(1);
  const asTenant = { authorization: `Bearer ${attacker.key}`, 'content-type': 'application/json' };
  await inParallel(phones.entries(), 6, async ([at, phone]) => {
    const pin = keyed[at]!;
    const uuid = `canary-${at}`;
    const room = `${apiUrl}/v1/rooms/${attacker.ids['roomId']}/participants`;
    await send({
      method: 'POST',
      url: room,
      headers: asTenant,
      body: JSON.stringify({ phone: `+${phone}`, name: 'Canary' }),
    });
    await send({ method: 'POST', url: room, headers: asTenant, body: `{"phone":"+${phone}","pin":"${pin}"` });
    await send({
      method: 'POST',
      url: `${apiUrl}/v1/rooms`,
      headers: asTenant,
      body: JSON.stringify({ name: 7, pin, number: `+${phone}` }),
    });
    await send({ method: 'GET', url: `${apiUrl}/v1/rooms/${pin}?phone=${phone}&limit=${pin}`, headers: asTenant });
    await send({
      method: 'GET',
      url: `${apiUrl}/v1/nowhere/${phone}/${pin}`,
      headers: { ...asTenant, 'user-agent': `canary/${pin}` },
    });
    await carrier.honest('/v1/voice/answer', { from: phone, to: number, uuid });
    await carrier.honest(`/v1/voice/digits/${victim.ids['legId']}/1`, { uuid, from: phone, dtmf: { digits: pin } });
    await carrier.honest('/v1/voice/events', {
      uuid,
      status: 'completed',
      reason: `${phone} keyed ${pin}`,
      from: phone,
      timestamp: 'yesterday',
    });
    await carrier.honest('/v1/voice/events', {
      reason: `Syntax error at ${phone} ${pin}`,
      conversation_uuid: `CON-${phone}`,
    });
    await carrier.honest(`/v1/voice/answer/leg_${pin}`, { from: phone, to: phone, uuid });
    await carrier.honest('/v1/video/events', {
      event: `from ${phone}`,
      sessionId: pin,
      connection: { id: pin, data: phone },
    });
    await carrier.post({
      path: '/v1/voice/events',
      body: `{"from":"${phone}","dtmf":"${pin}"`,
      authorization: `Bearer ${carrier.token('x')}`,
    });
  });
  for (const key of keys) {
    await send({
      method: 'POST',
      url: `${apiUrl}/v1/rooms?key=${key}`,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: key, key }),
    });
    await carrier.post({ path: '/v1/voice/answer', body: '{}', authorization: `Bearer ${key}` });
  }
}

const SETTLE_MS = 300;

/** Every log of every process, once nobody writes any more, and what each service counts. Throws when a service wrote nothing: then nothing was looked at. */
async function readLogs({ stack, send }: Target): Promise<{ name: string; text: string }[]> {
  const read = (): { name: string; text: string }[] =>
    readdirSync(stack.logFolder).map((name) => ({ name, text: readFileSync(join(stack.logFolder, name), 'utf8') }));
  for (let before = -1, now = -2; before !== now;) {
    before = read().reduce((sum, { text }) => sum + text.length, 0);
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    now = read().reduce((sum, { text }) => sum + text.length, 0);
  }
  const logs = read();
  for (const { name } of stack.instances)
    if (!logs.some((log) => log.name === `${name}.log` && log.text.includes('listening')))
      throw new Error(`${name} wrote no log.`);
  const metrics = await Promise.all(
    stack.instances.map(async ({ name, url }) => ({
      name: `${name}’s metrics`,
      text: (await send({ method: 'GET', url: `${url}/metrics` })).body,
    })),
  );
  return [...logs, ...metrics];
}
