import { isE164 } from '@partyline/domain/phone';
import type { SipDial } from '@partyline/provider-contract/media-provider';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import type { SipAccount } from '../account.ts';

/** What both SDKs take to dial a SIP call (contract section 1, section 5). */
interface SipCall {
  readonly uri: string;
  readonly headers: Record<string, string>;
  readonly auth: { username: string; password: string };
  readonly secure: boolean;
}

/** Custom headers must start with `X-`; the vendor keeps `X-Nexmo…` and `X-OpenTok…` for itself (contract section 3, section 5). */
const HEADER_NAME = /^X-(?!nexmo|opentok)[A-Za-z0-9-]{1,60}$/i;
/** One line, with something in it: `@vonage/video` drops empty strings, and a line break would start a header of its own. */
const HEADER_VALUE = /^[\x21-\x7e](?:[\x20-\x7e]{0,500}[\x21-\x7e])?$/;

const refusedError = (reason: string, message: string): ProviderError => new ProviderError('refused', reason, message);

/** The request of a bridge leg, checked here because the vendor's 400 does not say what was wrong. @throws ProviderError `refused` */
export function buildSipCall(dial: SipDial, account: SipAccount): SipCall {
  if (!isE164(dial.number)) throw refusedError('bad-number', 'The number to dial is not in E.164 form.');
  for (const [name, value] of Object.entries(dial.headers)) {
    if (!HEADER_NAME.test(name) || !HEADER_VALUE.test(value))
      throw refusedError(
        'bad-sip-header',
        'A custom SIP header must be named X-… and hold one line of printable characters.',
      );
  }
  return {
    uri: `sip:${dial.number.slice(1)}@${account.host}${account.tls ? ';transport=tls' : ''}`,
    headers: { ...dial.headers },
    auth: { username: account.username, password: account.password },
    secure: account.secure,
  };
}
