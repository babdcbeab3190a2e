import { z } from 'zod';

/**
 * ISO 3166-1 alpha-2, and the three codes that numbering plans use besides: Ascension, Tristan da
 * Cunha, Kosovo.
 */
const COUNTRIES: ReadonlySet<string> = new Set(
  (
    'AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ ' +
    'CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO ' +
    'FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE ' +
    'JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO ' +
    'MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW ' +
    'PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM ' +
    'TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW AC TA XK'
  ).split(' '),
);

/**
 * The country that a code stands for in another case or in an older list: `uk` is GB, `SU` is RU.
 */
function findCountry(code: string): string | undefined {
  if (!/^[a-z]{2}$/i.test(code)) return undefined;
  const [canonical = ''] = Intl.getCanonicalLocales(`und-${code}`);
  const country = canonical.slice('und-'.length);
  return COUNTRIES.has(country) ? country : undefined;
}

/** A country in a request. */
export const countryCode = () =>
  z.string('must be two capital letters (ISO 3166-1 alpha-2)').refine((code) => COUNTRIES.has(code), {
    error: ({ input }) => {
      const meant = findCountry(String(input));
      return meant === undefined
        ? 'must be the code of a country (ISO 3166-1 alpha-2), for example US'
        : `is not a country code (ISO 3166-1 alpha-2): did you mean ${meant}?`;
    },
  });

const LANGUAGES = new Intl.DisplayNames('en', { type: 'language', fallback: 'none' });
const REGIONS = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' });
const SCRIPTS = new Intl.DisplayNames('en', { type: 'script', fallback: 'none' });

/**
 * The canonical form of a BCP 47 tag whose subtags are registered: `EN-us` is `en-US`. Null for any
 * other text.
 */
function toLanguage(text: string): string | null {
  try {
    const locale = new Intl.Locale(text);
    const { language, region, script } = locale;
    const isKnown =
      LANGUAGES.of(language) !== undefined &&
      (script === undefined || SCRIPTS.of(script) !== undefined) &&
      (region === undefined || COUNTRIES.has(region) || (/^\d{3}$/.test(region) && REGIONS.of(region) !== undefined));
    return isKnown ? locale.baseName : null;
  } catch {
    return null;
  }
}

/** A language in a request, in its canonical form. */
export const languageTag = () =>
  z
    .string('must be a language tag (BCP 47), for example en-US')
    .max(35, { error: 'must be a language tag (BCP 47), for example en-US', abort: true })
    .overwrite((text) => toLanguage(text) ?? text)
    .refine(
      (text) => toLanguage(text) !== null,
      'must be a language tag (BCP 47) of a registered language and country, for example en-US',
    );
