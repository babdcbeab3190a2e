import { isE164 } from '@partyline/domain/phone';
import type { SipDial } from '@partyline/provider-contract/media-provider';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import type { SipAccount } from '../account.ts';

/** The parameters of a SIP call in both SDKs (contract sections 1 and 5). */
interface SipCall {
  readonly uri: string;
  readonly headers: Record<string, string>;
  readonly auth: { username: string; password: string };
  readonly secure: boolean;
}

/**
 * Custom headers must start with `X-`; `X-Nexmo...` and `X-OpenTok...` are reserved (contract
 * sections 3 and 5).
 */
const HEADER_NAME = /^X-(?!nexmo|opentok)[A-Za-z0-9-]{1,60}$/i;
/**
 * One non-empty line: `@vonage/video` drops empty strings, and a line break would start another
 * header.
 */
const HEADER_VALUE = /^[\x21-\x7e](?:[\x20-\x7e]{0,500}[\x21-\x7e])?$/;

const refusedError = (reason: string, message: string): ProviderError => new ProviderError('refused', reason, message);

/**
 * Builds the request of a bridge leg. Input is checked here, because the provider's 400 does not
 * name the fault.
 * @throws ProviderError `refused` for invalid input
 */
export function buildSipCall(dial: SipDial, account: SipAccount): SipCall {
  if (!isE164(dial.number)) throw refusedError('bad-number', 'The number to dial is not in E.164 form.');
  for (const [name, value] of Object.entries(dial.headers)) {
    if (!HEADER_NAME.test(name) || !HEADER_VALUE.test(value))
      throw refusedError(
        'bad-sip-header',
        'The name of a custom SIP header must start with X-, and its value must be one line of printable characters.',
      );
  }
  return {
    uri: `sip:${dial.number.slice(1)}@${account.host}${account.tls ? ';transport=tls' : ''}`,
    headers: { ...dial.headers },
    auth: { username: account.username, password: account.password },
    secure: account.secure,
  };
}
