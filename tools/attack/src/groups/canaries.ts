import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { seededRandomInt } from '@partyline/testing/seeded';
import pMap from 'p-map';
import { type Group } from '../group.ts';
import { newKey, type Target } from '../target.ts';

/**
 * Sends secrets and personal data wherever a service might log its input, then searches every log
 * for them.
 */
export const canaries: Group = {
  name: 'logs',
  summary: 'secrets, keys, PINs, tokens and phone numbers in every kind of input, searched for in all logs and metrics',
  minInputs: 50,
  async run(target, tally) {
    const random = seededRandomInt(target.seed ^ 0x5eed);
    const digits = (count: number): string => Array.from({ length: count }, () => 1 + random(9)).join('');
    const phones = Array.from({ length: 12 }, () => `4420${digits(8)}`);
    const keyed = Array.from({ length: 12 }, () => digits(9));
    const keys = Array.from({ length: 10 }, newKey);
    await sendCanaries(target, { phones, keyed, keys });

    const { credentials } = target.stack;
    const secrets: [string, string][] = [
      ...phones.map((phone): [string, string] => ['a phone number', phone]),
      ...keyed.map((pin): [string, string] => ['keyed digits', pin]),
      ...keys.map((key): [string, string] => ['the secret of an unknown key', key.slice(-43)]),
      ...[target.victim, target.attacker].flatMap(({ key, pin, client }): [string, string][] => [
        ['the secret of an API key', key.slice(-43)],
        ['the PIN of a room', pin],
        ['a client token', client.token],
      ]),
      ...[target.deadKeys.expired, target.deadKeys.revoked].map((key): [string, string] => [
        'the secret of a revoked or expired key',
        key.slice(-43),
      ]),
      ['the number of a caller', '442079460021'],
      ['the number of another caller', '442079460022'],
      ['the PIN key', credentials.pinKey],
      ...(['accountSecret', 'signatureSecret', 'projectSecret', 'callbackSecret'] as const).map(
        (name): [string, string] => [`the platform account's ${name}`, credentials.provider[name]],
      ),
      ['the private key', credentials.provider.privateKey.split('\n')[3] ?? 'none'],
      [
        'the database password',
        new URL(await target.stack.postgres.serviceUrlOf(target.stack.databaseUrl)).password ||
          'no password, no canary',
      ],
    ];
    for (const { providerAccount } of [target.victim, target.attacker]) {
      for (const name of ['accountSecret', 'signatureSecret', 'callbackSecret'] as const)
        secrets.push([`a tenant account's ${name}`, providerAccount[name]]);
      secrets.push(["a tenant account's private key", providerAccount.privateKey.split('\n')[3] ?? 'none']);
    }
    if (target.stack.selfHosted)
      for (const [what, secret] of (await target.openMeeting()).secrets) secrets.push([what, secret]);
    const outputs = await readLogs(target);
    for (const [what, secret] of secrets) {
      // Not within a longer number: a timestamp in milliseconds can hold any nine digits.
      const where = /^\d+$/.test(secret)
        ? outputs.find(({ text }) => new RegExp(`(?<!\\d)\\+?${secret}(?!\\d)`).test(text))
        : outputs.find(({ text }) => text.includes(secret));
      tally.record(what, where === undefined ? null : `was found in ${where.name}`);
    }
  },
};

/** Sends each canary in every part of a request that an error or a log line could quote. */
async function sendCanaries(
  { send, webhookSender, apiUrl, victim, attacker, stack }: Target,
  { phones, keyed, keys }: { phones: readonly string[]; keyed: readonly string[]; keys: readonly string[] },
): Promise<void> {
  const number = stack.numbers[0]!.e164.slice(1);
  const asTenant = { authorization: `Bearer ${attacker.key}`, 'content-type': 'application/json' };
  await pMap(
    phones.entries(),
    async ([at, phone]) => {
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
        url: `${apiUrl}/v1/unknown/${phone}/${pin}`,
        headers: { ...asTenant, 'user-agent': `canary/${pin}` },
      });
      await webhookSender.sendSigned('/v1/voice/answer', { from: phone, to: number, uuid });
      await webhookSender.sendSigned(`/v1/voice/digits/${victim.ids['legId']}/1`, {
        uuid,
        from: phone,
        dtmf: { digits: pin },
      });
      await webhookSender.sendSigned('/v1/voice/events', {
        uuid,
        status: 'completed',
        reason: `${phone} keyed ${pin}`,
        from: phone,
        timestamp: 'yesterday',
      });
      await webhookSender.sendSigned('/v1/voice/events', {
        reason: `Syntax error at ${phone} ${pin}`,
        conversation_uuid: `CON-${phone}`,
      });
      await webhookSender.sendSigned(`/v1/voice/answer/leg_${pin}`, { from: phone, to: phone, uuid });
      await webhookSender.sendSigned('/v1/video/events', {
        event: `from ${phone}`,
        sessionId: pin,
        connection: { id: pin, data: phone },
      });
      await webhookSender.post({
        path: '/v1/voice/events',
        body: `{"from":"${phone}","dtmf":"${pin}"`,
        authorization: `Bearer ${webhookSender.token('x')}`,
      });
    },
    { concurrency: 6 },
  );
  for (const key of keys) {
    await send({
      method: 'POST',
      url: `${apiUrl}/v1/rooms?key=${key}`,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: key, key }),
    });
    await webhookSender.post({ path: '/v1/voice/answer', body: '{}', authorization: `Bearer ${key}` });
  }
}

const LOG_QUIET_MS = 300;

/**
 * Reads all logs, after no process has written for a while, and the metrics of all services. Throws
 * when a service has no log, because then the search would prove nothing.
 */
async function readLogs({ stack, send }: Target): Promise<{ name: string; text: string }[]> {
  const read = (): { name: string; text: string }[] =>
    readdirSync(stack.logFolder).map((name) => ({ name, text: readFileSync(join(stack.logFolder, name), 'utf8') }));
  for (let before = -1, now = -2; before !== now;) {
    before = read().reduce((sum, { text }) => sum + text.length, 0);
    await new Promise((resolve) => setTimeout(resolve, LOG_QUIET_MS));
    now = read().reduce((sum, { text }) => sum + text.length, 0);
  }
  const logs = read();
  for (const { name } of stack.instances)
    if (!logs.some((log) => log.name === `${name}.log` && log.text.includes('listening')))
      throw new Error(`The service ${name} has no log.`);
  const metrics = await Promise.all(
    stack.instances.map(async ({ name, managementUrl }) => ({
      name: `the metrics of ${name}`,
      text: (await send({ method: 'GET', url: `${managementUrl}/metrics` })).body,
    })),
  );
  return [...logs, ...metrics];
}
