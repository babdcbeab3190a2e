import { JanusError } from '../janus-error.ts';
import type { SipHeaders } from './sip-event.ts';

// Janus prints headers and credentials into fixed buffers: a longer value is cut, and a header that
// is cut swallows the next one (janus_sip_parse_custom_headers). A line break would add a header.
const MAX_HEADER_BYTES = 254;
const MAX_HEADERS_BYTES = 2047;
const MAX_CREDENTIAL_BYTES = 90;
const TOKEN = /^[\w\-.!%*+`'~]+$/u;
const NO_CONTROLS = /^[^\p{Cc}]*$/u;

/** Returns the headers, or throws JanusError `invalid` for one that Janus would cut or misread. */
export function checkHeaders(request: string, headers: SipHeaders | undefined): SipHeaders | undefined {
  let total = 0;
  for (const [name, value] of Object.entries(headers ?? {})) {
    const bytes = Buffer.byteLength(`${name}: ${value}\r\n`);
    total += bytes;
    if (!TOKEN.test(name)) throw invalid(request, `a SIP header has an invalid name`);
    if (!NO_CONTROLS.test(value)) throw invalid(request, `the SIP header ${name} contains a control character`);
    if (bytes > MAX_HEADER_BYTES) throw invalid(request, `the SIP header ${name} exceeds ${MAX_HEADER_BYTES} bytes`);
  }
  if (total > MAX_HEADERS_BYTES) throw invalid(request, `the SIP headers exceed ${MAX_HEADERS_BYTES} bytes`);
  return headers;
}

/** Returns the parameters of the Contact URI, or throws JanusError `invalid`. */
export function checkContactParams(request: string, params: SipHeaders | undefined): SipHeaders | undefined {
  for (const [name, value] of Object.entries(params ?? {})) {
    if (!TOKEN.test(name) || !TOKEN.test(value)) throw invalid(request, 'a Contact parameter is not a SIP token');
  }
  return checkHeaders(request, params);
}

/** Returns the SIP URI, or throws JanusError `invalid` if it could add headers or parameters of its own. */
export function checkUri(request: string, uri: string): string {
  if (!/^sips?:[^\s<>"\p{Cc}]+$/u.test(uri)) throw invalid(request, 'the SIP URI is malformed');
  return uri;
}

/** Returns a user name or password, or throws JanusError `invalid` if Janus cannot pass it to the SIP stack. */
export function checkCredential(request: string, value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  // Janus quotes a credential with a colon, without escaping it.
  const isQuotable = !value.includes(':') || !/["\\]/u.test(value);
  if (!NO_CONTROLS.test(value) || !isQuotable) throw invalid(request, 'a credential has invalid characters');
  if (Buffer.byteLength(value) > MAX_CREDENTIAL_BYTES) {
    throw invalid(request, `a credential exceeds ${MAX_CREDENTIAL_BYTES} bytes`);
  }
  return value;
}

function invalid(request: string, problem: string): JanusError {
  return new JanusError('invalid', request, `${request} was not sent: ${problem}`);
}
