import { getExampleNumber, type CountryCode } from 'libphonenumber-js/max';
import examples from 'libphonenumber-js/mobile/examples';
import pMap from 'p-map';
import { type Group } from '../group.ts';
import { rejectionFault } from '../http.ts';
import { describeChanges, snapshotTenant } from '../tenant-snapshot.ts';
import type { Target } from '../target.ts';

/** The only country that the attacker may dial out to. */
const ALLOWED_COUNTRY = 'GB';

/**
 * Premium, shared-cost, personal and company numbers of several countries, the allowed country
 * first.
 */
const PREMIUM_NUMBERS = [
  '+12129761234',
  '+12129501234',
  '+12125551212',
  '+18005551234',
  '+18335551234',
  '+17124321234',
  '+16054751234',
  '+61147123456',
  '+79541234567',
  '+77511234567',
  '+8613491234567',
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
/** Numbers of no country: satellite, international premium, freephone and personal. */
const NON_GEOGRAPHIC_NUMBERS = [
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

/** Spellings for which the checked number could differ from the dialled number. */
const VALID_NUMBER = '+442079460018';
const ODD_SPELLINGS = [
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
  ` ${VALID_NUMBER}`,
  `${VALID_NUMBER} `,
  `${VALID_NUMBER}\n`,
  `\t${VALID_NUMBER}`,
  `+${VALID_NUMBER}`,
  '\uFF0B442079460018',
  '+\uFF14\uFF14\uFF12\uFF10\uFF17\uFF19\uFF14\uFF16\uFF10\uFF10\uFF11\uFF18',
  '+\u0664\u0664\u0662\u0660\u0667\u0669\u0664\u0666\u0660\u0660\u0661\u0668',
  `${VALID_NUMBER},,1234#`,
  `${VALID_NUMBER};ext=5`,
  `${VALID_NUMBER}p1234`,
  `${VALID_NUMBER}w1`,
  `${VALID_NUMBER}x12`,
  `tel:${VALID_NUMBER}`,
  `sip:${VALID_NUMBER}@evil.example`,
  `sips:${VALID_NUMBER}@127.0.0.1`,
  'sip:admin@10.0.0.1:5060;transport=tcp',
  `<sip:${VALID_NUMBER}@evil.example>`,
  `${VALID_NUMBER}@evil.example`,
  `${VALID_NUMBER}\r\nX-Injected: 1`,
  `${VALID_NUMBER}\r\n\r\nINVITE sip:x`,
  `${VALID_NUMBER}%0d%0aX: 1`,
  `${VALID_NUMBER}\u0000`,
  `${VALID_NUMBER}\u202E`,
  `${VALID_NUMBER}\u200B`,
  `${VALID_NUMBER}' OR '1'='1`,
  `${VALID_NUMBER}"}`,
  `${VALID_NUMBER},+19002345678`,
  `${VALID_NUMBER};+19002345678`,
  `${VALID_NUMBER}|+19002345678`,
  '+44207946001\uFF18',
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
const ODD_TYPES: readonly unknown[] = [
  null,
  442079460018,
  true,
  [],
  [VALID_NUMBER],
  {},
  { number: VALID_NUMBER },
  { $ne: null },
  [VALID_NUMBER, '+19002345678'],
  { toString: VALID_NUMBER },
];

/**
 * Dial-outs that would earn a third party money or leave the telephone network. None may be
 * accepted.
 */
export const dialOutFraud: Group<Pick<Target, 'apiUrl' | 'send' | 'owner' | 'attacker' | 'stack'>> = {
  name: 'dial-out',
  summary: 'premium, satellite, dial-in and unlisted destinations, odd spellings, SIP addresses, injected headers',
  minInputs: 500,
  async run({ apiUrl, send, owner, attacker, stack }, tally) {
    const snapshot = async (): Promise<Map<string, string>> => {
      const all = new Map(await snapshotTenant(owner, attacker.tenantId));
      // Rejections are recorded in the audit log.
      all.delete('audit_entry');
      return all;
    };
    const before = await snapshot();
    const others = (Object.keys(examples) as CountryCode[]).filter(
      (country) => country !== ALLOWED_COUNTRY && !SAME_COUNTRY_CODE.has(country),
    );
    const abroad = others.flatMap((country) => getExampleNumber(country, examples)?.number ?? []);
    const attemptDialOut = async (phone: unknown): Promise<void> => {
      const headers = { authorization: `Bearer ${attacker.key}`, 'content-type': 'application/json' };
      const answer = await send({
        method: 'POST',
        url: `${apiUrl}/v1/rooms/${attacker.ids['roomId']}/participants`,
        headers,
        body: JSON.stringify({ phone, name: 'Target' }),
      });
      tally.record(`a dial-out to ${JSON.stringify(phone)}`, rejectionFault(answer, [400, 403, 422]));
    };
    const wrapped = PREMIUM_NUMBERS.flatMap((number) => [
      number,
      ` ${number}`,
      number.replace('+', '00'),
      `${number},1`,
    ]);
    await pMap(
      [
        ...abroad,
        ...wrapped,
        ...NON_GEOGRAPHIC_NUMBERS,
        ...NON_GEOGRAPHIC_NUMBERS.map((number) => number.replace('+', '')),
        ...ODD_SPELLINGS,
        ...ODD_TYPES,
        ...abroad.slice(0, 150).map((number) => number.replace('+', '+4400')),
      ],
      attemptDialOut,
      { concurrency: 16 },
    );
    // Costly numbers and our own, of a tenant that may dial their countries.
    const allow = (countries: readonly string[]): Promise<unknown> =>
      owner.pool.query('UPDATE tenant SET allowed_countries = $2 WHERE id = $1', [attacker.tenantId, countries]);
    await allow(['US', 'DE', 'AU', 'RU', 'KZ', 'CN']);
    await pMap([...PREMIUM_NUMBERS, ...stack.numbers.map(({ e164 }) => e164)], attemptDialOut, { concurrency: 16 });
    await allow([]);
    tally.record('all of them together', describeChanges(before, await snapshot()));
  },
};

/** Countries that share the calling code of the allowed country. */
const SAME_COUNTRY_CODE = new Set<CountryCode>(['GG', 'JE', 'IM']);
