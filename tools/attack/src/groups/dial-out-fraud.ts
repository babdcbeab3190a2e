import { getExampleNumber, type CountryCode } from 'libphonenumber-js/max';
import examples from 'libphonenumber-js/mobile/examples';
import { inParallel, type Group } from '../group.ts';
import { notRefused } from '../http.ts';
import { difference, stateOf } from '../state.ts';
import type { Target } from '../target.ts';

/** The attacker may ring British numbers. */
const ALLOWED = 'GB';

/** What costs its caller more than a call: premium, shared-cost, personal and company numbers of several countries, of the allowed one first. */
const COSTLY = [
  '+449098790000',
  '+449012345678',
  '+449111234567',
  '+449801234567',
  '+448712345678',
  '+448432345678',
  '+448701234567',
  '+447012345678',
  '+447612345678',
  '+445512345678',
  '+19002345678',
  '+19765551234',
  '+499001234567',
  '+491371234567',
  '+33899123456',
  '+34803123456',
  '+39899123456',
  '+31900123456',
  '+43900123456',
  '+41900123456',
  '+48701234567',
  '+61190012345',
  '+81990123456',
];
/** What belongs to no country: satellites, international premium, freephone and personal. */
const NOWHERE = [
  '+870773111632',
  '+881612345678',
  '+88216123456',
  '+88310123456',
  '+8823912345678',
  '+881712345678',
  '+87839123456',
  '+979123456789',
  '+80012345678',
  '+80812345678',
  '+888123456789',
  '+8821612345678',
  '+883510012345',
];

/** Numbers written so that what is checked might not be what is rung. */
const good = '+442079460018';
const SPELLINGS = [
  '',
  ' ',
  '+',
  '00442079460018',
  '02079460018',
  '442079460018',
  '+44 20 7946 0018',
  '+44-20-7946-0018',
  '+44(0)2079460018',
  '+44.20.7946.0018',
  ` ${good}`,
  `${good} `,
  `${good}\n`,
  `\t${good}`,
  `+${good}`,
  '＋442079460018',
  '+４４２０７９４６００１８',
  '+٤٤٢٠٧٩٤٦٠٠١٨',
  `${good},,1234#`,
  `${good};ext=5`,
  `${good}p1234`,
  `${good}w1`,
  `${good}x12`,
  `tel:${good}`,
  `sip:${good}@evil.example`,
  `sips:${good}@127.0.0.1`,
  'sip:admin@10.0.0.1:5060;transport=tcp',
  `<sip:${good}@evil.example>`,
  `${good}@evil.example`,
  `${good}\r\nX-Injected: 1`,
  `${good}\r\n\r\nINVITE sip:x`,
  `${good}%0d%0aX: 1`,
  `${good}\u0000`,
  `${good}\u202E`,
  `${good}\u200B`,
  `${good}' OR '1'='1`,
  `${good}"}`,
  `${good},+19002345678`,
  `${good};+19002345678`,
  `${good}|+19002345678`,
  '+44207946001８',
  '+442079460018442079460018',
  '+4420794600',
  '+1',
  '+999999999999',
  '+0',
  '+00000000000',
  '+-442079460018',
  '1e12',
  '0x44',
  'Infinity',
  'anonymous',
  'unknown',
  'restricted',
  '*#06#',
  '112',
  '999',
  '911',
  '+44999',
  '+44112',
  '+1911',
  '+',
];
const SHAPES: readonly unknown[] = [
  null,
  442079460018,
  true,
  [],
  [good],
  {},
  { number: good },
  { $ne: null },
  [good, '+19002345678'],
  { toString: good },
];

/** Dial-outs that somebody else would earn by, or that would leave the telephone network: none is decided, none is rung. */
export const dialOutFraud: Group<Pick<Target, 'apiUrl' | 'send' | 'owner' | 'attacker'>> = {
  name: 'dial-out',
  says: 'premium, satellite and unlisted destinations, odd spellings, SIP addresses, injected headers',
  least: 500,
  async run({ apiUrl, send, owner, attacker }, tally) {
    const state = async (): Promise<Map<string, string>> => {
      const all = new Map(await stateOf(owner, attacker.tenantId));
      // What was refused is written down all the same.
      all.delete('audit_entry');
      return all;
    };
    const before = await state();
    const others = (Object.keys(examples) as CountryCode[]).filter(
      (country) => country !== ALLOWED && !SHARES.has(country),
    );
    const abroad = others.flatMap((country) => getExampleNumber(country, examples)?.number ?? []);
    const ask = async (phone: unknown): Promise<void> => {
      const headers = { authorization: `Bearer ${attacker.key}`, 'content-type': 'application/json' };
      const answer = await send({
        method: 'POST',
        url: `${apiUrl}/v1/rooms/${attacker.ids['roomId']}/participants`,
        headers,
        body: JSON.stringify({ phone, name: 'Target' }),
      });
      tally.judge(`ringing ${JSON.stringify(phone)}`, notRefused(answer, [400, 403, 422]));
    };
    const wrapped = COSTLY.flatMap((number) => [number, ` ${number}`, number.replace('+', '00'), `${number},1`]);
    await inParallel(
      [
        ...abroad,
        ...wrapped,
        ...NOWHERE,
        ...NOWHERE.map((number) => number.replace('+', '')),
        ...SPELLINGS,
        ...SHAPES,
        ...abroad.slice(0, 150).map((number) => number.replace('+', '+4400')),
      ],
      16,
      ask,
    );
    tally.judge('all of them together', difference(before, await state()));
  },
};

/** Countries that share the allowed one's code. */
const SHARES = new Set<CountryCode>(['GG', 'JE', 'IM']);
